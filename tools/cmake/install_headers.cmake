# Run by cmake --install: copies the public headers and the test kit's, and what they include of the
# others. These are followed here, so that no list has to be kept.
#   grid_source_dir    the tree
#   grid_include_dir   where to, below the prefix
cmake_policy(VERSION 3.25)

file(
  GLOB_RECURSE pending
  RELATIVE "${grid_source_dir}"
  "${grid_source_dir}/serialization/*.h" "${grid_source_dir}/handlers/*.h"
  "${grid_source_dir}/grid/*.h"
)
# The inside of the library goes along only where a public header shows it.
list(FILTER pending EXCLUDE REGEX "^grid/(internal|mux|runtime|transport)/")

set(headers ${pending})
while(pending)
  list(POP_FRONT pending header)
  file(STRINGS "${grid_source_dir}/${header}" includes REGEX "^#include \"")
  foreach(line IN LISTS includes)
    string(REGEX REPLACE "^#include \"([^\"]+)\".*" "\\1" included "${line}")
    if(NOT included IN_LIST headers AND EXISTS "${grid_source_dir}/${included}")
      list(APPEND headers "${included}")
      list(APPEND pending "${included}")
    endif()
  endforeach()
endwhile()

foreach(header IN LISTS headers)
  cmake_path(GET header PARENT_PATH folder)
  file(
    INSTALL "${grid_source_dir}/${header}"
    DESTINATION "${CMAKE_INSTALL_PREFIX}/${grid_include_dir}/${folder}"
  )
endforeach()
