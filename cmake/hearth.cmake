# hearth_library(<folder> [SOURCES files...] [BELOW folders...] [PRIVATE libs...])
#
# One static library per folder, named hearth_<folder>. BELOW names the floors it may use; the link
# line is the second guard of the floors, after tests/tidy.
function(hearth_library folder)
    cmake_parse_arguments(ARG "" "" "SOURCES;BELOW;PRIVATE" ${ARGN})
    set(target hearth_${folder})
    add_library(${target} STATIC ${ARG_SOURCES})
    target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR})
    foreach(below ${ARG_BELOW})
        target_link_libraries(${target} PUBLIC hearth_${below})
    endforeach()
    target_link_libraries(${target} PRIVATE ${ARG_PRIVATE})
endfunction()

# hearth_unit_tests(<folder> [LIBS libs...] [TSAN tests...])
#
# tests/unit/<folder>/test_<file>.c becomes one Check program and one ctest named <folder>/test_<file>.
# It links its own folder and what that folder links, nothing above it.
# Tests named in TSAN carry the label "concurrent": they are the ones run under ThreadSanitizer.
function(hearth_unit_tests folder)
    cmake_parse_arguments(ARG "" "" "LIBS;TSAN" ${ARGN})
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/unit/${folder}/test_*.c)
    foreach(source ${sources})
        get_filename_component(name ${source} NAME_WE)
        set(target unit_${folder}_${name})
        add_executable(${target} ${source})
        target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
        target_link_libraries(${target} PRIVATE hearth_${folder} PkgConfig::CHECK ${ARG_LIBS})
        add_test(NAME ${folder}/${name} COMMAND ${target}
                 WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
        set_tests_properties(${folder}/${name} PROPERTIES TIMEOUT 120 LABELS unit)
        if(name IN_LIST ARG_TSAN)
            set_tests_properties(${folder}/${name} PROPERTIES LABELS "unit;concurrent")
        endif()
    endforeach()
endfunction()
