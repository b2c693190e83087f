// StreamWindow: how much of one direction of a stream may wait unread at its receiving end.
#ifndef GRID_HANDLERS_STREAM_WINDOW_H_
#define GRID_HANDLERS_STREAM_WINDOW_H_

#include <cstdint>

namespace grid {

// Each end chooses the one for what it receives, and tells the other; in effect where both ends
// offer the extension `credits` (grid/PROTOCOL.md, "Extensions"). A message may come as long as
// there is room for one message and one byte, so one that is larger than the window passes too.
struct StreamWindow {
  // Messages to begin with, at least 1. Grows in step with the bytes.
  uint32_t messages = 8192;
  // Bytes of payload to begin with, at least 1. Doubles while it is what limits the stream: until
  // two round trips' worth of what is read fits, or `max_bytes` is reached, or
  // Limits::max_window_bytes. Below 4 KiB only where it is set so.
  uint64_t bytes = uint64_t{256} << 10;
  // At most `bytes`: it never grows.
  uint64_t max_bytes = uint64_t{16} << 20;
};

}  // namespace grid

#endif  // GRID_HANDLERS_STREAM_WINDOW_H_
