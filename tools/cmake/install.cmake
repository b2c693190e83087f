# What cmake --install puts where; all paths below the prefix, which may be moved afterwards.
#   include/grid-rpc/   the headers, included as "grid/manager.h", "handlers/...", "serialization/..."
#   include/grid-rpc/third_party/   msgpack-c's, if the system has none of its own
#   lib/                libgrid.a libgrid.so libgrid_testing.a
#   lib/cmake/grid/     find_package(grid): grid::grid, grid::grid_shared, grid::testing
#   lib/pkgconfig/      grid.pc (libgrid.so) and grid-static.pc (libgrid.a)
#   bin/                gridnode gridctl
include(CMakePackageConfigHelpers)

set(config_dir "${CMAKE_INSTALL_LIBDIR}/cmake/grid")
set_target_properties(grid_usage PROPERTIES EXPORT_NAME usage)
set_target_properties(grid_testing PROPERTIES EXPORT_NAME testing)
set(libraries grid grid_testing grid_usage)
if(TARGET grid_shared)
  list(APPEND libraries grid_shared)
endif()
install(TARGETS ${libraries} EXPORT gridTargets)
install(TARGETS gridnode gridctl)
install(EXPORT gridTargets NAMESPACE grid:: DESTINATION "${config_dir}")

install(
  CODE "set(grid_source_dir \"${PROJECT_SOURCE_DIR}\")
set(grid_include_dir \"${GRID_INSTALL_INCLUDEDIR}\")"
)
install(SCRIPT "${CMAKE_CURRENT_LIST_DIR}/install_headers.cmake")

# A package may not rely on a folder outside its prefix that no other package owns.
set(third_party "")
cmake_path(IS_PREFIX GRID_DEPS_PREFIX "${MsgpackCxx_INCLUDE_DIR}" NORMALIZE unpacked)
if(unpacked)
  set(third_party "${GRID_INSTALL_INCLUDEDIR}/third_party")
  install(DIRECTORY "${MsgpackCxx_INCLUDE_DIR}/msgpack" DESTINATION "${third_party}")
  install(FILES "${MsgpackCxx_INCLUDE_DIR}/msgpack.hpp" DESTINATION "${third_party}")
endif()

configure_package_config_file(
  "${CMAKE_CURRENT_LIST_DIR}/gridConfig.cmake.in" "${PROJECT_BINARY_DIR}/gridConfig.cmake"
  INSTALL_DESTINATION "${config_dir}"
  PATH_VARS GRID_INSTALL_INCLUDEDIR
)
# Before 1.0 every minor version may break callers.
set(compatibility SameMajorVersion)
if(PROJECT_VERSION_MAJOR EQUAL 0)
  set(compatibility SameMinorVersion)
endif()
write_basic_package_version_file(
  "${PROJECT_BINARY_DIR}/gridConfigVersion.cmake" COMPATIBILITY ${compatibility}
)
install(
  FILES "${PROJECT_BINARY_DIR}/gridConfig.cmake"
        "${PROJECT_BINARY_DIR}/gridConfigVersion.cmake"
        "${CMAKE_CURRENT_LIST_DIR}/FindMsgpackCxx.cmake"
  DESTINATION "${config_dir}"
)

# pkg-config: the same for those who don't use CMake.
list(TRANSFORM grid_absl PREPEND "absl_" OUTPUT_VARIABLE pc_requires)
list(APPEND pc_requires openssl)
list(JOIN pc_requires " " pc_requires)
list(TRANSFORM grid_definitions PREPEND "-D" OUTPUT_VARIABLE pc_cflags)
list(APPEND pc_cflags -DMSGPACK_NO_BOOST -pthread)
if(third_party)
  list(APPEND pc_cflags "-isystem \${includedir}/third_party")
endif()
list(JOIN pc_cflags " " pc_cflags)
# From lib/pkgconfig/ to the prefix.
cmake_path(
  RELATIVE_PATH CMAKE_INSTALL_PREFIX
  BASE_DIRECTORY "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig"
  OUTPUT_VARIABLE pc_prefix
)
foreach(name grid grid-static)
  if(name STREQUAL "grid-static")
    set(pc_what "static library")
    set(pc_libs "-l:libgrid.a")
    set(pc_more_requires "libxxhash libzstd")
    set(pc_more_libs "-lboost_json -lspdlog -lfmt")
  elseif(TARGET grid_shared)
    set(pc_what "shared library")
    set(pc_libs "-lgrid")
    set(pc_more_requires "")
    set(pc_more_libs "")
  else()
    continue()
  endif()
  configure_file(
    "${CMAKE_CURRENT_LIST_DIR}/grid.pc.in" "${PROJECT_BINARY_DIR}/${name}.pc" @ONLY
  )
  install(FILES "${PROJECT_BINARY_DIR}/${name}.pc"
          DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig"
  )
endforeach()
