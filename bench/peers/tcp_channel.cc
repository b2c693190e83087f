#include "bench/peers/tcp_channel.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace grid::bench {
namespace {

constexpr size_t kReadBytes = size_t{16} << 10;

bool IsTemporary(int error) { return error == EAGAIN || error == EINTR; }

absl::Status Error(const char* what) {
  return absl::UnavailableError(absl::StrCat(what, ": ", std::strerror(errno)));
}

}  // namespace

TcpChannel::TcpChannel(boost::asio::ip::tcp::socket socket, std::chrono::nanoseconds poll)
    : socket_(std::move(socket)), poll_(poll) {
  socket_.set_option(boost::asio::ip::tcp::no_delay(true));
}

absl::Status TcpChannel::Exchange(Clock::time_point until) {
  const bool waits_forever = until == Clock::time_point::max();
  const size_t before = in_.size();
  Clock::time_point spin_end = Clock::time_point::max();  // not begun
  bool spins = poll_.count() > 0;
  for (;;) {
    if (!out_.empty()) {
      if (absl::Status sent = Send(MSG_DONTWAIT); !sent.ok()) return sent;
    }
    // With nothing else to wait for, the call that blocks is the one that receives.
    const bool block = !spins && waits_forever && out_.empty();
    if (absl::Status got = Receive(block ? 0 : MSG_DONTWAIT); !got.ok()) return got;
    if (in_.size() > before) return absl::OkStatus();
    if (block) continue;
    const Clock::time_point now = Clock::now();
    if (now >= until) return absl::OkStatus();
    if (!spins) {
      WaitReady(now, until);
    } else if (spin_end == Clock::time_point::max()) {
      spin_end = now + poll_;
    } else {
      spins = now < spin_end;
    }
  }
}

absl::Status TcpChannel::Flush() {
  while (!out_.empty()) {
    if (absl::Status sent = Send(0); !sent.ok()) return sent;
  }
  return absl::OkStatus();
}

absl::Status TcpChannel::Send(int flags) {
  const auto bytes = out_.contents();
  const ssize_t sent = send(socket_.native_handle(), bytes.data(), bytes.size(), flags);
  if (sent >= 0) {
    out_.Consume(static_cast<size_t>(sent));
  } else if (!IsTemporary(errno)) {
    return Error("send");
  }
  return absl::OkStatus();
}

absl::Status TcpChannel::Receive(int flags) {
  const auto room = in_.Room(kReadBytes);
  const ssize_t got = recv(socket_.native_handle(), room.data(), room.size(), flags);
  if (got == 0) return absl::UnavailableError("the peer has closed the connection");
  if (got > 0) {
    in_.Commit(static_cast<size_t>(got));
  } else if (!IsTemporary(errno)) {
    return Error("recv");
  }
  return absl::OkStatus();
}

void TcpChannel::WaitReady(Clock::time_point now, Clock::time_point until) {
  pollfd ready{.fd = socket_.native_handle(), .events = POLLIN, .revents = 0};
  if (!out_.empty()) ready.events |= POLLOUT;
  timespec wait{};
  if (until != Clock::time_point::max()) {
    const auto left = std::chrono::nanoseconds(until - now).count();
    wait = {.tv_sec = left / 1'000'000'000, .tv_nsec = left % 1'000'000'000};
  }
  ppoll(&ready, 1, until == Clock::time_point::max() ? nullptr : &wait, nullptr);
}

}  // namespace grid::bench
