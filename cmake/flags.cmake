# Compiler and linker flags, for every target alike.
add_compile_definitions(_GNU_SOURCE)
# As Ninja names it when the build folder lies inside.
file(RELATIVE_PATH hearth_root_from_build ${CMAKE_BINARY_DIR} ${PROJECT_SOURCE_DIR})
string(REGEX REPLACE "/$" "" hearth_root_from_build ${hearth_root_from_build})
add_compile_options(
    -Wall -Wextra -Werror
    # PromQL and the codecs promise bit-exact doubles.
    -ffp-contract=off
    # __FILE__ counts from the root of the project, for the words of assertions and of leaks.
    -fmacro-prefix-map=${PROJECT_SOURCE_DIR}/=
    -fmacro-prefix-map=${hearth_root_from_build}/=
    -fno-omit-frame-pointer)
set(hearth_c_warnings
    -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes -Wmissing-prototypes
    -Wvla -Wundef -Wpointer-arith -Wwrite-strings -Wimplicit-fallthrough)
foreach(flag ${hearth_c_warnings})
    add_compile_options($<$<COMPILE_LANGUAGE:C>:${flag}>)
endforeach()
add_link_options(-Wl,--as-needed)

if(CMAKE_BUILD_TYPE STREQUAL "Debug")
    add_compile_definitions(HEARTH_DEBUG=1)
else()
    add_compile_definitions(HEARTH_DEBUG=0)
    # The folders are one unit to the compiler: a sample passes through six of them, by small
    # functions. With -O3 that took 0.220 to 0.183 s of CPU per million samples at 100,000 series.
    include(CheckIPOSupported)
    check_ipo_supported(RESULT hearth_whole_program OUTPUT hearth_ignored LANGUAGES C CXX)
    set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ${hearth_whole_program})
    add_compile_options(-O3 -fno-plt)
endif()

if(HEARTH_SANITIZE)
    # Lines in what they print; variables would take a third more of building (dev has them).
    add_compile_options(-fsanitize=${HEARTH_SANITIZE} -fno-sanitize-recover=all -O1 -g1)
    add_link_options(-fsanitize=${HEARTH_SANITIZE})
    # Three hundred programs: each is linked in half of the time. What clang exports for its
    # sanitizers gold warns about.
    find_program(hearth_gold ld.gold)
    if(hearth_gold AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
        add_link_options(-fuse-ld=gold)
    endif()
endif()
if(HEARTH_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
    add_link_options(-fsanitize=fuzzer-no-link)
endif()
if(HEARTH_COVERAGE)
    # Threads count at once; gcovr refuses the negative counts that plain updates leave.
    add_compile_options(--coverage -fprofile-update=atomic)
    add_link_options(--coverage)
endif()
