// How completion handlers of the public API are called.
#ifndef GRID_GRID_RUNTIME_COMPLETE_H_
#define GRID_GRID_RUNTIME_COMPLETE_H_

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <utility>

#include "absl/status/status.h"
#include "grid/runtime/io_loop.h"
#include "handlers/completion.h"
#include "handlers/reply_handler.h"

namespace grid {

// From inside an initiating function: a completion must not run there, because a coroutine is not
// ready to be resumed before it has been suspended. Handlers without an executor of their own run
// on the loop, or, when that has ended, on a thread of the system's; by then those with one are
// posted there by the caller itself, so that who stops the callers has stopped all that use it. On
// the thread of a link, Link::Later does it with less work.
inline void CompleteLater(const LoopRef& home, ReadyCompletion ready) {
  home.loops->PostTo(home.index, [&](boost::asio::io_context* io) {
    if (io == nullptr) return ready.Post();
    // The post leads through the loop to the handler's own executor.
    boost::asio::post(io->get_executor(),
                      [io, ready = std::move(ready)]() mutable { ready.Run(io); });
  });
}

// The same for a request that fails before it was sent; `io`: the loop's, null when it has ended.
inline void FailLater(boost::asio::io_context* io, ReplyHandler handler, absl::Status why) {
  if (io == nullptr) return handler.Fail(nullptr, std::move(why));
  boost::asio::post(io->get_executor(),
                    [io, handler = std::move(handler), why = std::move(why)]() mutable {
                      handler.Fail(io, std::move(why));
                    });
}
inline void FailLater(const LoopRef& home, ReplyHandler handler, absl::Status why) {
  home.loops->PostTo(home.index, [&](boost::asio::io_context* io) {
    FailLater(io, std::move(handler), std::move(why));
  });
}

}  // namespace grid

#endif  // GRID_GRID_RUNTIME_COMPLETE_H_
