// How a fault_host writes to the test's FencedStore: packets on a Unix socket, each answered.
#ifndef GRID_TESTS_LIVE_FAULT_PROTOCOL_H_
#define GRID_TESTS_LIVE_FAULT_PROTOCOL_H_

#include <cstdint>

namespace grid::live {

struct StoreRequest {
  enum What : uint32_t {
    kHello,  // `name` is the index of the host; its directory is ready
    kWrite,  // the first of an epoch begins it
    kEnd,    // it is put down, to be given back
    kLost,   // its lease was lost
  };
  What what = kHello;
  uint32_t name = 0;
  uint64_t epoch = 0;
  int64_t checked = 0;  // FencedStore::Write's, in nanoseconds
  int64_t until = 0;
};

struct StoreAnswer {
  bool accepted = false;
};

}  // namespace grid::live

#endif  // GRID_TESTS_LIVE_FAULT_PROTOCOL_H_
