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

# What the layers use of abseil. Its mutex is left out on purpose: the packaged library is built
# without ThreadSanitizer, which then takes what a mutex guards for a race. Use std::mutex.
add_library(grid_absl INTERFACE)
target_link_libraries(
  grid_absl
  INTERFACE
    absl::any_invocable
    absl::base
    absl::btree
    absl::cleanup
    absl::fixed_array
    absl::flat_hash_map
    absl::flat_hash_set
    absl::function_ref
    absl::hash
    absl::inlined_vector
    absl::node_hash_map
    absl::node_hash_set
    absl::random_random
    absl::span
    absl::status
    absl::statusor
    absl::str_format
    absl::strings
)
