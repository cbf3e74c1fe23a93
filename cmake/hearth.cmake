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
