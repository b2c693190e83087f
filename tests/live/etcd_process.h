// An etcd of one's own for a live test, on free ports of loopback.
#ifndef GRID_TESTS_LIVE_ETCD_PROCESS_H_
#define GRID_TESTS_LIVE_ETCD_PROCESS_H_

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/live/process.h"
#include "tests/temp_dir.h"

namespace grid::live {

inline uint16_t FreePort() {
  boost::asio::io_context io;
  boost::asio::ip::tcp::acceptor acceptor(io, {boost::asio::ip::make_address("127.0.0.1"), 0});
  return acceptor.local_endpoint().port();
}

// Made: it is starting. Destroyed: it is dead.
class EtcdProcess {
 public:
  explicit EtcdProcess(std::vector<std::string> more = {}, const std::string& scheme = "http")
      : scheme_(scheme), more_(std::move(more)), port_(FreePort()), peer_port_(FreePort()) {
    Start();
  }
  ~EtcdProcess() { Kill(); }

  void Start() {
    const std::string client = url(), peer = absl::StrCat("http://127.0.0.1:", peer_port_);
    // The end of its log must not fill a pipe that nobody reads.
    std::vector<std::string> argv = {// It ends with the test, however that ends.
                                     "setpriv",
                                     "--pdeathsig",
                                     "KILL",
                                     "etcd",
                                     "--data-dir",
                                     folder_.File("data"),
                                     "--listen-client-urls",
                                     client,
                                     "--advertise-client-urls",
                                     client,
                                     "--listen-peer-urls",
                                     peer,
                                     "--initial-advertise-peer-urls",
                                     peer,
                                     "--initial-cluster",
                                     absl::StrCat("default=", peer),
                                     "--log-outputs",
                                     "/dev/null",
                                     "--logger",
                                     "zap",
                                     "--heartbeat-interval",
                                     "50",
                                     "--election-timeout",
                                     "250"};
    argv.insert(argv.end(), more_.begin(), more_.end());
    process_.emplace(argv);
  }
  void Kill() {
    process_->Signal(SIGCONT);
    process_->Signal(SIGKILL);
    process_->Wait(std::chrono::seconds(5));
  }
  void Signal(int signal) { process_->Signal(signal); }
  uint16_t port() const { return port_; }
  std::string url() const { return absl::StrCat(scheme_, "://", address()); }
  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }

 private:
  const std::string scheme_;
  const std::vector<std::string> more_;
  const uint16_t port_, peer_port_;
  test::TempDir folder_;
  std::optional<Process> process_;
};

}  // namespace grid::live

#endif  // GRID_TESTS_LIVE_ETCD_PROCESS_H_
