// How completion handlers of the public API are called.
#ifndef GRID_GRID_RUNTIME_COMPLETE_H_
#define GRID_GRID_RUNTIME_COMPLETE_H_

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/system_executor.hpp>
#include <utility>

#include "absl/status/status.h"
#include "grid/runtime/io_loop.h"
#include "handlers/completion.h"
#include "handlers/reply_handler.h"

namespace grid {

// From inside an initiating function: a completion must not run there, because a coroutine is not
// ready to be resumed before it has been suspended. Handlers without an executor of their own run
// on the loop, or, when that has ended, on a thread of the system's. On the thread of a link,
// Link::Later does it with less work.
inline void CompleteLater(const LoopRef& home, ReadyCompletion ready) {
  home.loops->PostTo(home.index, [&](boost::asio::io_context* io) {
    auto complete = [io, ready = std::move(ready)]() mutable { ready.Run(io); };
    // The post leads through the loop (or the system's executor) to the handler's own executor.
    if (io != nullptr) {
      boost::asio::post(io->get_executor(), std::move(complete));
    } else {
      boost::asio::post(boost::asio::system_executor(), std::move(complete));
    }
  });
}

// The same for a request that fails before it was sent; `io`: the loop's, null when it has ended.
inline void FailLater(boost::asio::io_context* io, ReplyHandler handler, absl::Status why) {
  auto fail = [io, handler = std::move(handler), why = std::move(why)]() mutable {
    handler.Fail(io, std::move(why));
  };
  if (io != nullptr) {
    boost::asio::post(io->get_executor(), std::move(fail));
  } else {
    boost::asio::post(boost::asio::system_executor(), std::move(fail));
  }
}
inline void FailLater(const LoopRef& home, ReplyHandler handler, absl::Status why) {
  home.loops->PostTo(home.index, [&](boost::asio::io_context* io) {
    FailLater(io, std::move(handler), std::move(why));
  });
}

}  // namespace grid

#endif  // GRID_GRID_RUNTIME_COMPLETE_H_
