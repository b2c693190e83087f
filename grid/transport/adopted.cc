#include "grid/transport/adopted.h"

#include <unistd.h>

#include <utility>

namespace grid::internal {

NativeSocket& NativeSocket::operator=(NativeSocket&& other) noexcept {
  if (this == &other) return *this;
  if (fd_ >= 0) ::close(fd_);
  fd_ = other.Take();
  protocol_ = other.protocol_;
  return *this;
}

NativeSocket::~NativeSocket() {
  if (fd_ >= 0) ::close(fd_);
}

int NativeSocket::Take() { return std::exchange(fd_, -1); }

}  // namespace grid::internal
