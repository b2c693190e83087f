# Everything from outside the project, all of it from Debian's packages (tools/setup installs them).

find_package(Threads REQUIRED)
find_package(OpenSSL 3 REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json)
find_package(absl REQUIRED)
find_package(zstd REQUIRED)
find_package(MsgpackCxx REQUIRED)
find_package(CLI11 REQUIRED)
find_package(spdlog REQUIRED)
find_package(yaml-cpp REQUIRED)

# Headers only, in the system's own folder; only grid/jwt_authenticator.cc includes them, so nothing
# is linked, and users of the library need them as little.
find_path(GRID_CPP_JWT_INCLUDE_DIR jwt/jwt.hpp REQUIRED)
mark_as_advanced(GRID_CPP_JWT_INCLUDE_DIR)

# Debian's xxhash brings a pkg-config file only.
find_package(PkgConfig REQUIRED)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)

if(GRID_BUILD_TESTS)
  find_package(GTest REQUIRED)
endif()
if(GRID_BUILD_BENCH)
  find_package(benchmark REQUIRED)
endif()

# What the library uses of abseil. Its mutex is left out on purpose: the packaged library is built
# without ThreadSanitizer, which then takes what a mutex guards for a race. Use std::mutex.
set(grid_absl
    any_invocable
    base
    btree
    cleanup
    fixed_array
    flat_hash_map
    flat_hash_set
    function_ref
    hash
    inlined_vector
    node_hash_map
    node_hash_set
    random_random
    span
    status
    statusor
    str_format
    strings
)

# The bodies of Asio and Beast are compiled into the library (grid_boost): whoever includes their
# headers beside it must compile them with the same definitions.
set(grid_definitions
    BOOST_ASIO_NO_DEPRECATED
    BOOST_ASIO_SEPARATE_COMPILATION
    BOOST_BEAST_SEPARATE_COMPILATION
)

# grid_usage: what the public headers ask of those who include them, the library's own files first.
add_library(grid_usage INTERFACE)
target_compile_features(grid_usage INTERFACE cxx_std_20)
target_compile_definitions(grid_usage INTERFACE ${grid_definitions})
target_include_directories(
  grid_usage INTERFACE "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>"
                       "$<INSTALL_INTERFACE:${GRID_INSTALL_INCLUDEDIR}>"
)
list(TRANSFORM grid_absl PREPEND "absl::" OUTPUT_VARIABLE absl_targets)
target_link_libraries(
  grid_usage
  INTERFACE
    ${absl_targets}
    Boost::headers
    Boost::json
    MsgpackCxx::MsgpackCxx
    OpenSSL::SSL
    OpenSSL::Crypto
    Threads::Threads
)

# What only the bodies need.
set(grid_private PkgConfig::xxhash spdlog::spdlog zstd::libzstd_shared)
