# msgpack-c's C++ headers, from the prefix that tools/setup fills or from the system. An installed
# grid brings this file along, and looks first where it installed those of the prefix.
#   MsgpackCxx::MsgpackCxx   the headers, told to do without Boost
find_path(
  MsgpackCxx_INCLUDE_DIR msgpack.hpp
  HINTS "${GRID_DEPS_PREFIX}/usr/include" "${grid_INCLUDE_DIR}/third_party"
)
mark_as_advanced(MsgpackCxx_INCLUDE_DIR)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(
  MsgpackCxx
  REQUIRED_VARS MsgpackCxx_INCLUDE_DIR
  REASON_FAILURE_MESSAGE "run tools/setup, or set GRID_DEPS_PREFIX"
)

if(MsgpackCxx_FOUND AND NOT TARGET MsgpackCxx::MsgpackCxx)
  add_library(MsgpackCxx::MsgpackCxx INTERFACE IMPORTED)
  target_include_directories(MsgpackCxx::MsgpackCxx SYSTEM INTERFACE "${MsgpackCxx_INCLUDE_DIR}")
  target_compile_definitions(MsgpackCxx::MsgpackCxx INTERFACE MSGPACK_NO_BOOST)
endif()
