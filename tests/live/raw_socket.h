// RawSocket: a blocking TCP connection to 127.0.0.1, for bytes that no client of ours would send;
// with time-outs, so that a test ends.
#ifndef GRID_TESTS_LIVE_RAW_SOCKET_H_
#define GRID_TESTS_LIVE_RAW_SOCKET_H_

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace grid::live {

class RawSocket {
 public:
  explicit RawSocket(uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    SetTimeouts();
    sockaddr_in address = Loopback(port);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  RawSocket(RawSocket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~RawSocket() { Close(); }

  void Close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

  // False when the other side has closed.
  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  // Exactly `size` bytes, or fewer when the other side closes before.
  std::string Read(size_t size) {
    std::string bytes(size, '\0');
    size_t got = 0;
    while (got < size) {
      const ssize_t n = ::recv(fd_, bytes.data() + got, size - got, 0);
      if (n < 0 && errno == EAGAIN) ADD_FAILURE() << "nothing to read";
      if (n <= 0) break;
      got += static_cast<size_t>(n);
    }
    bytes.resize(got);
    return bytes;
  }
  std::string ReadUntil(std::string_view end) {
    std::string bytes;
    while (!bytes.ends_with(end)) {
      const std::string next = Read(1);
      if (next.empty()) break;
      bytes += next;
    }
    return bytes;
  }
  std::string ReadAll() { return Read(size_t{1} << 20); }

  static sockaddr_in Loopback(uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }

 protected:
  explicit RawSocket(int fd, bool) : fd_(fd) { SetTimeouts(); }
  friend class RawServer;

 private:
  void SetTimeouts() const {
    const timeval limit{20, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  }

  int fd_;
};

// Accepts connections one at a time, on the test's thread.
class RawServer {
 public:
  RawServer() : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = RawSocket::Loopback(0);
    EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(::listen(fd_, 16), 0);
    socklen_t size = sizeof(address);
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  ~RawServer() { ::close(fd_); }
  uint16_t port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  RawSocket Accept() { return RawSocket(::accept(fd_, nullptr, nullptr), true); }

 private:
  int fd_;
  uint16_t port_ = 0;
};

// A frame of RFC 6455. First byte: 0x80 final, 0x40..0x10 reserved, opcode. Masked with a key of
// zeros, so that payloads stay legible.
inline std::string Frame(uint8_t first, std::string_view payload, bool masked,
                         uint64_t announced = ~uint64_t{0}) {
  const uint64_t size = announced == ~uint64_t{0} ? payload.size() : announced;
  std::string frame(1, static_cast<char>(first));
  const int mask = masked ? 0x80 : 0;
  int bytes = 0;
  if (size < 126) {
    frame += static_cast<char>(mask | static_cast<int>(size));
  } else if (size < 65536) {
    frame += static_cast<char>(mask | 126);
    bytes = 2;
  } else {
    frame += static_cast<char>(mask | 127);
    bytes = 8;
  }
  for (int i = bytes - 1; i >= 0; --i) frame += static_cast<char>(size >> (8 * i));
  if (masked) frame += std::string(4, '\0');
  return frame.append(payload);
}

// A close frame as a server sends it: code, and nothing masked.
inline std::string CloseFrame(uint16_t code, std::string_view reason = "", bool masked = false) {
  std::string payload{static_cast<char>(code >> 8), static_cast<char>(code & 0xFF)};
  return Frame(0x88, payload.append(reason), masked);
}

// The key and the answer to it of RFC 6455, section 1.3.
inline std::string UpgradeRequest(std::string_view extra_fields = "",
                                  std::string_view token = "secret") {
  return std::string("GET /minio/grid/v1 HTTP/1.1\r\nHost: localhost\r\n") +
         "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer " +
         std::string(token) + "\r\n" + std::string(extra_fields) + "\r\n";
}

}  // namespace grid::live

#endif  // GRID_TESTS_LIVE_RAW_SOCKET_H_
