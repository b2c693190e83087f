#include "tools/gridctl/line_reader.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

namespace grid::tools {

LineReader::LineReader(int fd) : fd_(fd), stop_fd_(eventfd(0, EFD_CLOEXEC)) {}

LineReader::~LineReader() {
  if (stop_fd_ >= 0) close(stop_fd_);
}

bool LineReader::Fill(int wait_ms) {
  pollfd fds[2] = {{.fd = fd_, .events = POLLIN, .revents = 0},
                   {.fd = stop_fd_, .events = POLLIN, .revents = 0}};
  int ready = 0;
  do {
    ready = poll(fds, 2, wait_ms);
  } while (ready < 0 && errno == EINTR);
  if (ready == 0) return false;
  if (ready < 0 || (fds[1].revents & POLLIN) != 0) {
    ended_ = true;
    return false;
  }
  char chunk[65536];
  const ssize_t size = read(fd_, chunk, sizeof(chunk));
  if (size < 0 && errno == EINTR) return false;
  if (size <= 0) {
    ended_ = true;
    return false;
  }
  buffer_.append(chunk, static_cast<size_t>(size));
  return true;
}

bool LineReader::HasInput(std::chrono::milliseconds wait) {
  if (buffer_.empty() && !ended_) Fill(static_cast<int>(wait.count()));
  return !buffer_.empty() || !ended_;
}

bool LineReader::Next(std::string* line) {
  for (;;) {
    const size_t newline = buffer_.find('\n', scanned_);
    if (newline != std::string::npos) {
      line->assign(buffer_, 0, newline);
      buffer_.erase(0, newline + 1);
      scanned_ = 0;
      return true;
    }
    scanned_ = buffer_.size();
    if (ended_) break;
    Fill(-1);
  }
  if (buffer_.empty()) return false;
  line->swap(buffer_);
  buffer_.clear();
  scanned_ = 0;
  return true;
}

void LineReader::Stop() {
  const uint64_t one = 1;
  // Can't fail on an eventfd that nobody else writes to.
  [[maybe_unused]] const ssize_t written = write(stop_fd_, &one, sizeof(one));
}

}  // namespace grid::tools
