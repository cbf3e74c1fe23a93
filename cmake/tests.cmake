# hearth_test(<name> COMMAND command... [LABELS labels...] [TIMEOUT seconds] [COST n] [FOLDER dir])
#
# add_test with what every test of this project shares: the build's prefix in its name, so that the
# build folders run together as one suite (./dev test); the sanitizers' options; a time limit.
set(hearth_test_prefix "")
set(hearth_test_environment "")
if(HEARTH_SANITIZE MATCHES "thread")
    set(hearth_test_prefix "tsan/")
    # Check's fork per test would leave the threads behind.
    set(hearth_test_environment "CK_FORK=no;CK_TIMEOUT_MULTIPLIER=4;TSAN_OPTIONS=halt_on_error=1")
elseif(HEARTH_SANITIZE)
    set(hearth_test_prefix "asan/")
    set(hearth_test_environment
        "CK_TIMEOUT_MULTIPLIER=4;UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1")
elseif(HEARTH_COVERAGE)
    set(hearth_test_prefix "coverage/")
endif()

function(hearth_test name)
    cmake_parse_arguments(ARG "" "TIMEOUT;COST;FOLDER" "COMMAND;LABELS;ENVIRONMENT" ${ARGN})
    if(NOT ARG_TIMEOUT)
        set(ARG_TIMEOUT 120)
        if(HEARTH_SANITIZE)
            set(ARG_TIMEOUT 400)
        endif()
    endif()
    if(NOT ARG_FOLDER)
        set(ARG_FOLDER ${CMAKE_CURRENT_BINARY_DIR})
    endif()
    set(test ${hearth_test_prefix}${name})
    add_test(NAME ${test} COMMAND ${ARG_COMMAND} WORKING_DIRECTORY ${ARG_FOLDER})
    set_tests_properties(${test} PROPERTIES
        TIMEOUT ${ARG_TIMEOUT}
        LABELS "${ARG_LABELS}"
        ENVIRONMENT "${hearth_test_environment};${ARG_ENVIRONMENT}")
    if(ARG_COST)
        set_tests_properties(${test} PROPERTIES COST ${ARG_COST}) # the dearest start first
    endif()
endfunction()

# hearth_unit_tests(<folder> [LIBS libs...] [TSAN tests...] [PLAIN tests...])
#
# tests/unit/<folder>/test_<file>.c becomes one Check program and one test named <folder>/test_<file>.
# It links its own folder and what that folder links, nothing above it.
# Tests named in TSAN carry the label "concurrent": they are the ones run under ThreadSanitizer.
# Those named in PLAIN say more where no sanitizer is: they do more there, or look at what it changes.
# The others are twins of those under AddressSanitizer, and only built with HEARTH_TWINS.
function(hearth_unit_tests folder)
    cmake_parse_arguments(ARG "" "" "LIBS;TSAN;PLAIN" ${ARGN})
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/unit/${folder}/test_*.c)
    foreach(source ${sources})
        get_filename_component(name ${source} NAME_WE)
        set(labels unit)
        if(NOT HEARTH_TWINS AND NOT name IN_LIST ARG_PLAIN)
            continue()
        endif()
        if(name IN_LIST ARG_TSAN)
            list(APPEND labels concurrent)
        elseif(HEARTH_SANITIZE MATCHES "thread")
            continue()
        endif()
        # What takes longest would else be last, with nothing beside it.
        set(cost 0)
        if(HEARTH_SANITIZE MATCHES "thread")
            set(cost 20)
        elseif(HEARTH_SANITIZE)
            set(cost 10)
        endif()
        set(target unit_${folder}_${name})
        add_executable(${target} ${source})
        target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
        target_link_libraries(${target} PRIVATE hearth_${folder} PkgConfig::CHECK ${ARG_LIBS})
        if(HEARTH_SANITIZE)
            target_compile_options(${target} PRIVATE -O0) # compiled in half of the time
        endif()
        if(NOT folder STREQUAL base)
            target_compile_definitions(${target} PRIVATE SUITE_FINDS_LEAKS)
        endif()
        hearth_test(${folder}/${name} COMMAND ${target} LABELS ${labels} COST ${cost})
    endforeach()
endfunction()
