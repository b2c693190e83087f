// Dialer: keeps trying to reach one host until it is told to stop: dial, exchange Connect, hand the
// connection over; after a failure, or when the connection was lost, again.
//
// Owned by its Peer, on the peer's home loop; every function belongs to that thread.
#ifndef GRID_GRID_INTERNAL_DIALER_H_
#define GRID_GRID_INTERNAL_DIALER_H_

#include <memory>
#include <string>

#include "grid/runtime/io_loop.h"
#include "grid/transport/loop_timer.h"
#include "grid/transport/network.h"
#include "serialization/buffer.h"

namespace grid::internal {

class ManagerCore;
class Peer;

class Dialer {
 public:
  Dialer(ManagerCore& core, Peer& peer, IoLoop& loop);
  ~Dialer();  // gives up what is in progress, without a report

  // Begins an attempt: now, or as soon as the pause since the last one's start is over.
  void Redial();

 private:
  class Exchange;

  void Attempt();
  void OnDialled(uint64_t attempt, DialResult result);
  void Failed(const absl::Status& why);

  ManagerCore& core_;
  Peer& peer_;
  IoLoop& loop_;
  LoopTimer timer_;
  TimePoint not_before_;                     // when the next attempt may start
  uint64_t attempt_ = 0;                     // a late result of an earlier one is dropped
  std::shared_ptr<DialCanceller> dialling_;  // while Network::Dial is under way
  std::unique_ptr<Exchange> exchange_;
  std::shared_ptr<Dialer*> alive_;  // pending callbacks hold it weakly
};

}  // namespace grid::internal

#endif  // GRID_GRID_INTERNAL_DIALER_H_
