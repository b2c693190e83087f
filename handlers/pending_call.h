// PendingCall: a request that was sent, or soon will be, and waits for its outcome. Opaque to the
// session that keeps it; what it is, whoever starts requests knows.
#ifndef GRID_HANDLERS_PENDING_CALL_H_
#define GRID_HANDLERS_PENDING_CALL_H_

namespace grid {

struct PendingCall {};

}  // namespace grid

#endif  // GRID_HANDLERS_PENDING_CALL_H_
