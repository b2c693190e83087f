// Spawn: starts a coroutine that nobody waits for, and says where an exception out of it goes.
#ifndef GRID_GRID_TRANSPORT_SPAWN_H_
#define GRID_GRID_TRANSPORT_SPAWN_H_

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <string_view>

#include "absl/functional/any_invocable.h"

namespace grid::internal {

// Runs `coroutine()` on `io`, where it begins at once if that is this thread's. `failed` gets
// what() of an exception that comes out of it, on that thread. Both are kept until the coroutine
// has ended, so what they hold outlives its frame.
void Spawn(boost::asio::io_context& io,
           absl::AnyInvocable<boost::asio::awaitable<void>()> coroutine,
           absl::AnyInvocable<void(std::string_view what)> failed);

}  // namespace grid::internal

#endif  // GRID_GRID_TRANSPORT_SPAWN_H_
