// What the tests of embedding share: managers with an echo handler, names that dial a given port,
// counters that are waited for.
#ifndef GRID_TESTS_LIVE_EMBEDDING_KIT_H_
#define GRID_TESTS_LIVE_EMBEDDING_KIT_H_

#include <gtest/gtest.h>

#include <boost/asio/use_future.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "grid/manager.h"
#include "tests/live/test_certificates.h"

namespace grid::live {

inline constexpr HandlerId kEchoHandler{78};

struct NodePki {
  TestCertificates authority{"authority"};
  CertificateFiles local = authority.Issue("node1", "DNS:localhost,IP:127.0.0.1");
  TlsFiles Files() const { return {local.certificate, local.key, authority.ca_file(), false}; }
};
inline NodePki& SharedNodePki() {
  static NodePki pki;
  return pki;
}

inline std::string NameOf(uint16_t port, bool tls = false) {
  return (tls ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(port);
}

// A name that dials `host`, or is dialled by it; nobody listens there.
inline std::string NameFor(const std::string& host, bool dials = true) {
  for (int port = 1;; ++port) {
    std::string name = host.substr(0, host.rfind(':') + 1) + std::to_string(port);
    if (name != host && ShouldDial(name, host) == dials) return name;
  }
}

inline ManagerOptions NodeOptions(const std::string& local, const std::string& token = "secret") {
  ManagerOptions options;
  options.local = local;
  options.token = token;
  options.log = NullLog();
  options.timeouts.redial_min = std::chrono::milliseconds(10);
  options.timeouts.redial_max = std::chrono::milliseconds(50);
  if (local.starts_with("https")) options.tls = SharedNodePki().Files();
  return options;
}

inline std::unique_ptr<Manager> NewNode(ManagerOptions options, const std::string& peer,
                                        bool start = true) {
  auto manager = std::make_unique<Manager>(std::move(options));
  EXPECT_TRUE(
      manager
          ->RegisterSingle({.id = kEchoHandler, .run_on = RunOn::kIoThread},
                           [](BytesView request, RequestContext&) -> absl::StatusOr<Buffer> {
                             return Buffer::CopyOf(request);
                           })
          .ok());
  if (!peer.empty()) {
    EXPECT_TRUE(manager->AddPeer(peer).ok());
  }
  if (start) {
    const absl::Status started = manager->Start();
    EXPECT_TRUE(started.ok()) << started;
  }
  return manager;
}

// An echo from `from` to `host`, once they are connected.
inline absl::Status Echo(Manager& from, const std::string& host) {
  RequestOptions options;
  options.timeout = std::chrono::seconds(20);
  options.wait_for_ready = true;
  auto reply = from.Connection(host)
                   .Request(kEchoHandler, AsBytes("over there"), options, boost::asio::use_future)
                   .get();
  if (reply.ok()) {
    EXPECT_EQ(reply->text(), "over there");
  }
  return reply.status();
}

inline bool WaitFor(const std::function<bool()>& holds) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > limit) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

inline uint64_t Refused(const Manager& manager, const std::string& reason) {
  const ManagerStats stats = manager.Stats();
  const auto it = stats.refused.find(reason);
  return it == stats.refused.end() ? 0 : it->second;
}
inline uint64_t Dropped(const Manager& manager, const std::string& reason) {
  const ManagerStats stats = manager.Stats();
  const auto it = stats.total.drops.find(reason);
  return it == stats.total.drops.end() ? 0 : it->second;
}

}  // namespace grid::live

#endif  // GRID_TESTS_LIVE_EMBEDDING_KIT_H_
