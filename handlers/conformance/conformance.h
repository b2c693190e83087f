// The conformance service: a fixed set of handlers that any implementation of the protocol can
// host, so that two of them can test each other.
//
// | id | kind | behaviour |
// |---|---|---|
// | 78 | single, raw | echo; nil stays nil, empty stays empty |
// | 79 | single, map str -> str | echo with "added": "yes" |
// | 1 | single, raw | error `remote error: <payload>` |
// | 2 | single, raw, subroute `sub/route` | `sub:` + payload |
// | 3, 4 | stream, in and out 1, or 16 | two-way echo until the caller's end |
// | 5, 9 | stream, no input, out 1, or 16 | payload is decimal N: sends `0` to `N-1` |
// | 6 | stream, no input, out 1 | sends `0` `1` `2`, then error `stream failed` |
// | 7 | stream, in and out 1, subroute `sub/route` | two-way echo, each prefixed `sub:` |
// | 8 | stream, in and out 1 | two-way echo, 5 ms per message |
// | 10 | single, raw | payload is decimal milliseconds: sleeps, echoes |
// | 11, 12 | single; stream, no input, out 1 | throws `boom` |
// | 13 | stream, in and out 1 | sends `ready`, blocks until cancelled |
// | 14 | single, raw | `blocked=<n> cancelled=<n>`: how often handler 13 began and was cancelled |
// | 15, 16 | single, raw | a nil payload; an empty payload |
// | 17 | stream, no input, out 1 | sends `nil`, `empty` or `len=<n>` for its initial payload |
//
// 60 is never registered. Each registration counts for its own handlers 13 and 14.
#ifndef GRID_HANDLERS_CONFORMANCE_CONFORMANCE_H_
#define GRID_HANDLERS_CONFORMANCE_CONFORMANCE_H_

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>

#include "absl/status/status.h"
#include "handlers/registrar.h"

namespace grid {

struct ConformanceOptions {
  // What handlers 8 and 10 wait with, on the coroutine's executor; must end early (normally or by
  // an exception) on terminal cancellation. Required: the time is the host program's.
  std::function<asio::awaitable<void>(std::chrono::milliseconds)> sleep;
  // Of what the raw handlers and the streams answer.
  Compression compression = {};
};

// Registers the whole table; the first failure is returned, and what was registered before it
// stays. kInvalidArgument when `sleep` is empty.
absl::Status RegisterConformanceHandlers(Registrar& registrar, ConformanceOptions options);

}  // namespace grid

#endif  // GRID_HANDLERS_CONFORMANCE_CONFORMANCE_H_
