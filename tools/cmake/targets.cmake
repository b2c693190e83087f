# Helpers for the targets. Sources are found by pattern, so that a new file needs no edit here:
# CONFIGURE_DEPENDS looks again at the start of each build.

# grid_glob(<out> <pattern>...): files below the current source directory.
function(grid_glob out)
  list(TRANSFORM ARGN PREPEND "${CMAKE_CURRENT_SOURCE_DIR}/")
  file(GLOB_RECURSE files CONFIGURE_DEPENDS ${ARGN})
  set(${out} "${files}" PARENT_SCOPE)
endfunction()

# grid_position_independent(<target>): its objects may go into a shared library. What g++ would add to
# that, that another library could replace our functions, would keep it from inlining them.
function(grid_position_independent target)
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(${target} PRIVATE -fno-semantic-interposition)
  endif()
endfunction()

# grid_layer(<name> SOURCES <file>...): objects of the library, compiled once for libgrid.a and
# libgrid.so.
function(grid_layer name)
  cmake_parse_arguments(arg "" "" "SOURCES" ${ARGN})
  add_library(${name} OBJECT ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE grid_usage ${grid_private})
  grid_position_independent(${name})
endfunction()

# grid_library(<name> SOURCES <file>... LINK <library>...): a static library.
function(grid_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC ${arg_LINK})
endfunction()

# grid_program(<name> SOURCES <file>... LINK <library>...): a program in bin/.
function(grid_program name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
  if(NOT arg_SOURCES)
    return()
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LINK})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${GRID_BIN_DIR}")
endfunction()

# grid_gtest(<name> SHARDS <n> TIMEOUT <seconds> SOURCES <file>... [LABELS <label>...]): one test
# binary, which ctest runs as <n> parts side by side.
function(grid_gtest name)
  cmake_parse_arguments(arg "" "SHARDS;TIMEOUT" "SOURCES;LABELS" ${ARGN})
  if(NOT arg_SOURCES)
    return()
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE grid_testing grid_tools GTest::gmock_main)
  grid_precompile(${name} test)
  target_compile_definitions(
    ${name}
    PRIVATE
      GRID_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
      GRID_BIN_DIR="${GRID_BIN_DIR}"
      GRID_TEST_VECTORS="${PROJECT_SOURCE_DIR}/tests/vectors"
  )
  math(EXPR last "${arg_SHARDS} - 1")
  foreach(shard RANGE ${last})
    if(arg_SHARDS EQUAL 1)
      set(test ${name})
    else()
      math(EXPR number "${shard} + 1")
      set(test ${name}_${number}_of_${arg_SHARDS})
    endif()
    add_test(NAME ${test} COMMAND ${name})
    # Brief: what failed stands in the log, without the hundreds that passed.
    set_tests_properties(
      ${test}
      PROPERTIES
        ENVIRONMENT "GTEST_TOTAL_SHARDS=${arg_SHARDS};GTEST_SHARD_INDEX=${shard};GTEST_BRIEF=1"
        TIMEOUT ${arg_TIMEOUT}
        LABELS "${arg_LABELS}"
    )
  endforeach()
endfunction()
