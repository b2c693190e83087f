# Precompiled headers: what nearly every file of a kind includes from outside the project. They save
# more than half of a cold build. A file still includes what it uses: the public headers are compiled
# without them, one by one, in tests/headers.

set(grid_common_headers
    <algorithm>
    <atomic>
    <chrono>
    <cstdint>
    <deque>
    <functional>
    <map>
    <memory>
    <mutex>
    <optional>
    <string>
    <string_view>
    <thread>
    <utility>
    <vector>
    <absl/container/flat_hash_map.h>
    <absl/functional/any_invocable.h>
    <absl/status/statusor.h>
    <boost/asio/any_completion_handler.hpp>
    <boost/asio/async_result.hpp>
    <boost/asio/io_context.hpp>
    <boost/asio/use_awaitable.hpp>
)
set(grid_test_headers ${grid_common_headers} <boost/json.hpp> <gmock/gmock.h>)
# Not CLI11: its global validators are compiled into every object that sees them, 4 s each.
set(grid_program_headers ${grid_common_headers} <boost/json.hpp>)

# grid_precompile(<target> <kind>): kind is common, test or program. The first target of a kind
# compiles its headers, the others share them; all of a kind are compiled with the same flags.
function(grid_precompile target kind)
  get_property(owner GLOBAL PROPERTY grid_precompile_${kind})
  if(owner)
    target_precompile_headers(${target} REUSE_FROM ${owner})
  else()
    target_precompile_headers(${target} PRIVATE ${grid_${kind}_headers})
    set_property(GLOBAL PROPERTY grid_precompile_${kind} ${target})
  endif()
endfunction()
