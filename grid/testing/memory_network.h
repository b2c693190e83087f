// MemoryNetwork: the network of a whole cluster in one process's memory, on a virtual clock, with
// faults on demand.
//
// Each node gets its own grid::Network from Host(name), so that the network knows who dials;
// everything between two nodes can then be severed, stalled or partitioned by their names. One
// thread: the one that drives the clock and polls the io_contexts. Listeners, transports and dials
// may outlive the MemoryNetwork.
//
//   testing::MemoryNetwork network(clock, {.seed = 7});
//   options.network = network.Host("http://node1:9000");    // and likewise for node2
//   ...
//   network.Sever("http://node1:9000", "http://node2:9000");
//
// What it takes from a real one, and what it doesn't: messages arrive whole, in order, after a
// random latency, and at a limited rate if one is set; a direction holds a bounded number of bytes
// that the receiver has not taken, and a writer above that waits; bytes of a message that is being
// written are changed, as masking does. There are no frames and no HTTP: refusals of the upgrade
// are statuses that name the code.
#ifndef GRID_GRID_TESTING_MEMORY_NETWORK_H_
#define GRID_GRID_TESTING_MEMORY_NETWORK_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "grid/base/clock.h"
#include "grid/transport/network.h"

namespace grid::testing {

struct MemoryNetworkOptions {
  uint64_t seed = 1;
  // One way, per message; drawn evenly between the two.
  Duration min_latency = std::chrono::microseconds(50);
  Duration max_latency = std::chrono::microseconds(500);
  // From the moment the last byte of a message was taken until OnWritten.
  Duration min_write = std::chrono::microseconds(1);
  Duration max_write = std::chrono::microseconds(20);
  // How fast the bytes of one direction leave, each message before its latency; 0: at once.
  uint64_t bytes_per_second = 0;
  // Bytes of one direction that were taken from the writer and not yet by the receiver.
  size_t window_bytes = size_t{256} << 10;
  // Out of a million messages that arrive, how many break their connection instead.
  uint32_t sever_per_million = 0;
};

// Counted since the start.
struct MemoryNetworkStats {
  uint64_t dials = 0;
  uint64_t connections = 0;  // dials that succeeded
  uint64_t messages = 0;     // delivered
  uint64_t bytes = 0;        // delivered
};

class MemoryNetwork {
 public:
  explicit MemoryNetwork(std::shared_ptr<Clock> clock, MemoryNetworkOptions options = {});
  ~MemoryNetwork();
  MemoryNetwork(const MemoryNetwork&) = delete;
  MemoryNetwork& operator=(const MemoryNetwork&) = delete;

  // The network as the node `name` ("http://node1:9000") sees it. A listener at an address without
  // a host (":9000", "0.0.0.0:9000") is reached by the host of that name; a listener at any other
  // address, by that address. A dial reaches a listener only if both sides speak TLS or neither
  // does.
  std::shared_ptr<Network> Host(const std::string& name);

  // Resets every connection between the two nodes: what is on its way is lost, both ends get
  // OnClosed(kPeerClosed) after a latency each. New dials work. Returns how many there were.
  int Sever(const std::string& a, const std::string& b);
  // Freezes the connections that exist between the two now, as if the other process had been
  // stopped: nothing arrives, not even the end of the connection. New dials work.
  void Stall(const std::string& a, const std::string& b);
  // Nothing passes between the two, silently: connections freeze, dials run into their time-out.
  void Partition(const std::string& a, const std::string& b);
  // Ends Stall and Partition; what was held back moves on.
  void Heal(const std::string& a, const std::string& b);
  void HealAll();
  // Dials to `host` fail at once, as with nobody listening.
  void RefuseDials(const std::string& host, bool refuse);

  // Connections between the two of which neither end has been told that it is over.
  int Connections(const std::string& a, const std::string& b) const;
  const MemoryNetworkStats& stats() const;

 private:
  class Hub;
  class HostNetwork;
  const std::shared_ptr<Hub> hub_;
};

}  // namespace grid::testing

#endif  // GRID_GRID_TESTING_MEMORY_NETWORK_H_
