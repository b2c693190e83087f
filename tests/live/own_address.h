// Names of hosts that no other process of this machine uses: loopback addresses of the process's
// own, on a port from which nobody dials.
#ifndef GRID_TESTS_LIVE_OWN_ADDRESS_H_
#define GRID_TESTS_LIVE_OWN_ADDRESS_H_

#include <unistd.h>

#include <cstddef>
#include <string>

#include "absl/strings/str_format.h"

namespace grid::live {

// `number`: 0 to 253.
inline std::string OwnHost(size_t number) {
  return absl::StrFormat("http://127.%d.%d.%d:7420", 64 + getpid() / 256 % 128, getpid() % 256,
                         number + 1);
}

}  // namespace grid::live

#endif  // GRID_TESTS_LIVE_OWN_ADDRESS_H_
