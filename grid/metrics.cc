#include "grid/metrics.h"

#include <chrono>

namespace grid {
namespace {

constexpr auto kCounter = MetricKind::kCounter;
constexpr auto kGauge = MetricKind::kGauge;

constexpr FieldMetric<ConnectionStats> kConnection[] = {
    {{"bytes_in", kCounter, "Bytes of grid messages received"}, &ConnectionStats::bytes_in},
    {{"bytes_out", kCounter, "Bytes of grid messages sent"}, &ConnectionStats::bytes_out},
    {{"messages_in", kCounter, "Grid messages received"}, &ConnectionStats::messages_in},
    {{"messages_out", kCounter, "Grid messages sent"}, &ConnectionStats::messages_out},
    {{"merged_in", kCounter, "Messages received inside a Merged"}, &ConnectionStats::merged_in},
    {{"merged_out", kCounter, "Messages sent inside a Merged"}, &ConnectionStats::merged_out},
    {{"writes", kCounter, "WebSocket messages written"}, &ConnectionStats::writes},
    {{"outgoing_requests", kGauge, "Requests waiting for an answer"},
     &ConnectionStats::outgoing_requests},
    {{"incoming_requests", kGauge, "Requests being served"}, &ConnectionStats::incoming_requests},
    {{"outgoing_streams", kGauge, "Streams opened to the peer"},
     &ConnectionStats::outgoing_streams},
    {{"incoming_streams", kGauge, "Streams opened by the peer"},
     &ConnectionStats::incoming_streams},
    {{"compressed_in", kCounter, "Payloads that came compressed"}, &ConnectionStats::compressed_in},
    {{"compressed_out", kCounter, "Payloads sent compressed"}, &ConnectionStats::compressed_out},
    {{"saved_bytes_in", kCounter, "Bytes that compression saved of payloads received"},
     &ConnectionStats::saved_bytes_in},
    {{"saved_bytes_out", kCounter, "Bytes that compression saved of payloads sent"},
     &ConnectionStats::saved_bytes_out},
    {{"compression_skipped", kCounter, "Payloads sent as they are as compression saved too little"},
     &ConnectionStats::compression_skipped},
    {{"resets", kCounter, "Requests and streams that the peer gave up while they ran"},
     &ConnectionStats::resets},
    {{"drained", kCounter, "Requests and streams of the peer that ended in a drain"},
     &ConnectionStats::drained},
    {{"peer_draining", kGauge, "1 while the peer drains"}, &ConnectionStats::peer_draining},
    {{"output_bytes", kGauge, "Bytes encoded and not yet written"}, &ConnectionStats::output_bytes},
    {{"connects", kCounter, "Connections established"}, &ConnectionStats::connects},
    {{"reconnects", kCounter, "Connections established after the first"},
     &ConnectionStats::reconnects},
};

constexpr MetricFamily kConnected{"connected", kGauge, "1 while there is a connection"};
constexpr MetricFamily kRoundTrip{"round_trip_seconds", kGauge,
                                  "Round trip of the last answered connection ping"};
constexpr MetricFamily kSincePong{"since_last_pong_seconds", kGauge,
                                  "Time since the last pong; missing before the first"};
constexpr MetricFamily kDrops{"drops", kCounter,
                              "What was dropped, refused or ignored, and how connections ended"};
constexpr MetricFamily kRefused{"refused", kCounter, "Incoming connections turned down"};

constexpr FieldMetric<ManagerStats> kManager[] = {
    {{"accepted", kCounter, "Upgraded incoming connections"}, &ManagerStats::accepted},
    {{"handshakes_pending", kGauge, "Incoming connections in their handshake"},
     &ManagerStats::handshakes_pending},
    {{"clients", kGauge, "Clients that are connected"}, &ManagerStats::clients},
    {{"draining", kGauge, "1 while this node drains"}, &ManagerStats::draining},
    {{"worker_queue", kGauge, "Handlers waiting for a worker"}, &ManagerStats::worker_queue},
    {{"buffer_bytes_in_use", kGauge, "Bytes of buffers in use"},
     &ManagerStats::buffer_bytes_in_use},
    {{"buffer_bytes_retained", kGauge, "Bytes of free buffers kept for reuse"},
     &ManagerStats::buffer_bytes_retained},
    {{"buffers_taken", kCounter, "Buffers taken"}, &ManagerStats::buffers_taken},
    {{"buffers_allocated", kCounter, "Buffers taken that had to be allocated"},
     &ManagerStats::buffers_allocated},
    {{"buffers_refused", kCounter, "Buffers refused: max_buffered_bytes"},
     &ManagerStats::buffers_refused},
};

double Seconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

}  // namespace

absl::Span<const FieldMetric<ConnectionStats>> ConnectionMetrics() { return kConnection; }
absl::Span<const FieldMetric<ManagerStats>> ManagerMetrics() { return kManager; }

void ExportMetrics(const ManagerStats& stats, MetricsSink& sink) {
  const auto each_peer = [&](const MetricFamily& family, auto sample) {
    sink.Begin(family);
    for (const auto& [host, peer] : stats.peers) sample(MetricLabel{"peer", host}, peer);
  };
  for (const auto& [family, value] : kConnection) {
    const MetricFamily& of = family;
    const auto member = value;
    each_peer(of, [&](const MetricLabel& label, const ConnectionStats& peer) {
      sink.Sample(of, {label}, peer.*member);
    });
  }
  each_peer(kConnected, [&](const MetricLabel& label, const ConnectionStats& peer) {
    sink.Sample(kConnected, {label},
                static_cast<uint64_t>(peer.state == ConnectionState::kConnected ? 1 : 0));
  });
  each_peer(kRoundTrip, [&](const MetricLabel& label, const ConnectionStats& peer) {
    sink.Sample(kRoundTrip, {label}, Seconds(peer.round_trip));
  });
  each_peer(kSincePong, [&](const MetricLabel& label, const ConnectionStats& peer) {
    if (peer.since_last_pong.count() >= 0) {
      sink.Sample(kSincePong, {label}, Seconds(peer.since_last_pong));
    }
  });
  each_peer(kDrops, [&](const MetricLabel& label, const ConnectionStats& peer) {
    for (const auto& [reason, count] : peer.drops) {
      sink.Sample(kDrops, {label, {"reason", reason}}, count);
    }
  });
  sink.Begin(kRefused);
  for (const auto& [reason, count] : stats.refused) {
    sink.Sample(kRefused, {{"reason", reason}}, count);
  }
  ExportFields(ManagerMetrics(), stats, sink);
}

}  // namespace grid
