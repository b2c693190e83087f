// Priority: in which order what waits to be sent on a connection leaves.
#ifndef GRID_HANDLERS_PRIORITY_H_
#define GRID_HANDLERS_PRIORITY_H_

#include <cstdint>

namespace grid {

// Of a request or stream: of all that this end sends of it, and of what the other end answers. Used
// where both ends speak fragments (grid/PROTOCOL.md, "Fragments"); otherwise everything leaves in
// the order in which it was sent. The lower never starve. The numbers are those of the protocol.
enum class Priority : uint8_t {
  kDefault = 0,  // of a call: the handler's for the answers, otherwise kNormal
  kUrgent = 1,
  kNormal = 2,
  kBulk = 3,
};

}  // namespace grid

#endif  // GRID_HANDLERS_PRIORITY_H_
