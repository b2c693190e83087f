// Registrar: where handlers are registered; and the signatures of raw handlers.
//
// Implemented by Manager (and by HandlerTable itself). Registration may happen at any time, from
// any thread; a handler can't be taken back, and lives until the manager is gone.
//
//   manager.RegisterSingle({.id = HandlerId{9}, .run_on = RunOn::kIoThread},
//                          [](BytesView request, RequestContext&) -> absl::StatusOr<Buffer> {
//                            return Buffer::CopyOf(request);
//                          });
#ifndef GRID_HANDLERS_REGISTRAR_H_
#define GRID_HANDLERS_REGISTRAR_H_

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "handlers/compression.h"
#include "handlers/context.h"
#include "handlers/handler_id.h"
#include "handlers/priority.h"
#include "handlers/single_reply.h"
#include "handlers/stream.h"
#include "serialization/buffer.h"

namespace grid {

// Which thread runs a plain (not coroutine) handler.
enum class RunOn {
  kWorkerPool,  // may block
  kIoThread,    // must be short and never block: the connections of that thread wait for it
};

// Answers one request. `request` is valid until the handler returns. An error reaches the caller as
// text; an exception becomes kInternal with its what(). Called from several threads at once.
using SingleFunction = std::function<absl::StatusOr<Buffer>(BytesView request, RequestContext&)>;

// The same as a coroutine; runs on the connection's I/O thread, and must not block it.
using SingleCoroutine =
    std::function<asio::awaitable<absl::StatusOr<Buffer>>(Buffer request, RequestContext&)>;

// The same by callback, without the cost of a coroutine: is called on the connection's I/O thread,
// and gives the answer whenever it has it. The context is valid until then. An exception counts as
// the reply dropped.
using SingleStarter = std::function<void(Buffer request, RequestContext&, SingleReply reply)>;

// Serves one stream; what it returns ends the stream. On the worker pool it may use the blocking
// calls of Stream; it keeps a thread as long as it runs.
using StreamFunction = std::function<absl::Status(Stream& stream, RequestContext&)>;

// The same as a coroutine on the connection's I/O thread.
using StreamCoroutine =
    std::function<asio::awaitable<absl::Status>(Stream& stream, RequestContext&)>;

// For RunOn::kIoThread: is called when the stream opens, keeps the handle, and calls Finish when
// done. The context is valid until then.
using StreamStarter = std::function<void(Stream stream, RequestContext&)>;

struct SingleSpec {
  HandlerId id;
  std::string subroute = {};               // parts joined with "/"; empty: none
  RunOn run_on = RunOn::kWorkerPool;       // ignored for coroutines and starters
  Priority priority = Priority::kDefault;  // of answers whose caller asks for none
  Compression compression = {};            // of answers; see there before it is enabled
};

struct StreamSpec {
  HandlerId id;
  std::string subroute = {};
  // Messages from the caller that may wait unread; 0: the handler takes no input. Both ends must
  // agree (version 1 does not negotiate it); with the extension `credits` it only says whether
  // there is input.
  uint32_t in_capacity = 0;
  // Messages to the caller that may be on their way unread, at least 1; must agree as well.
  uint32_t out_capacity = 1;
  // What may come from the caller unread, instead of in_capacity, with the extension `credits`.
  StreamWindow window = {};
  Priority priority = Priority::kDefault;  // of what is sent to a caller that asks for none
  Compression compression = {};            // of what is sent; see there before it is enabled
  // The handler reads with ReadPiece: what the caller writes may then be of any length, and comes
  // in pieces where both ends offer the extensions `fragments` and `credits`.
  bool read_pieces = false;
};

class Registrar {
 public:
  // Longest subroute, in bytes.
  static constexpr size_t kMaxSubroute = 4096;

  virtual ~Registrar() = default;

  // kInvalidArgument: the id is not valid, the subroute is too long, the function is empty, there
  // is no such dictionary, or out_capacity or a part of the window is 0.
  // kAlreadyExists: there is a handler with this id and subroute.
  virtual absl::Status RegisterSingle(SingleSpec spec, SingleFunction function) = 0;
  virtual absl::Status RegisterSingle(SingleSpec spec, SingleCoroutine function) = 0;
  virtual absl::Status RegisterSingle(SingleSpec spec, SingleStarter function) = 0;
  virtual absl::Status RegisterStream(StreamSpec spec, StreamFunction function) = 0;
  virtual absl::Status RegisterStream(StreamSpec spec, StreamCoroutine function) = 0;
  virtual absl::Status RegisterStream(StreamSpec spec, StreamStarter function) = 0;
};

}  // namespace grid

#endif  // GRID_HANDLERS_REGISTRAR_H_
