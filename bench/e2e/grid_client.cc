#include "bench/e2e/grid_client.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <latch>

#include "absl/strings/str_format.h"
#include "grid/base/log.h"

namespace grid::bench {
namespace {

constexpr std::chrono::seconds kConnect{10};
// Large requests at any time, so that none waits for the answer to another.
constexpr size_t kBulkInFlight = 2;

// Of `whole`, for one of several connections: spread evenly, the first take the rest.
Workload ShareOf(const Workload& whole, size_t index, size_t connections) {
  Workload share = whole;
  share.inflight = whole.inflight / connections + (index < whole.inflight % connections ? 1 : 0);
  share.rate = whole.rate / static_cast<double>(connections);
  return share;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Client>> GridClient::Connect(const GridClientOptions& options,
                                                            const Workload& workload) {
  const bool for_streams =
      options.handler == HandlerKind::kIo || options.handler == HandlerKind::kWorker;
  if (!for_streams && workload.mode != Mode::kEcho) {
    return absl::InvalidArgumentError("--handler typed, actor: for requests only");
  }
  std::unique_ptr<GridClient> client(new GridClient(options));
  const size_t connections = std::min(options.addresses.size(), workload.inflight);
  for (size_t i = 0; i < connections; ++i) {
    absl::Status status = client->Add(options, i, ShareOf(workload, i, connections));
    if (!status.ok()) return status;
  }
  return client;
}

absl::Status GridClient::Add(const GridClientOptions& options, size_t index,
                             const Workload& share) {
  const std::string server = ServerName(options.addresses[index]);
  boost::asio::io_context& io = threads_.at(index);
  ManagerOptions manager_options;
  manager_options.local = ClientName(server);
  manager_options.log = NullLog();
  manager_options.io_contexts = {&io};
  manager_options.sockets = options.sockets;
  manager_options.extensions.fragment_bytes = options.fragment_bytes;
  managers_.push_back(std::make_unique<Manager>(std::move(manager_options)));
  Manager& manager = *managers_.back();
  absl::Status status = manager.AddPeer(server);
  const bool calls_actor = options.handler == HandlerKind::kActor;
  if (calls_actor) {
    auto actors = ActorNode::Make(manager, server, io);
    if (!actors.ok()) return actors.status();
    actors_.push_back(*std::move(actors));
  }
  status.Update(manager.Start());
  if (!status.ok()) return status;
  const Connection peer = manager.Connection(server);
  status = peer.WaitConnected(kConnect, boost::asio::use_future).get();
  if (!status.ok()) return status;
  LanePlace place{.io = &io, .peer = peer, .handler = options.handler};
  if (calls_actor) {
    absl::StatusOr<Recipients> found = actors_.back()->FindEcho();
    if (!found.ok()) return found.status();
    place.actor = *std::move(found);
  }
  if (options.bulk_bytes != 0) {
    Workload bulk = share;
    bulk.mode = Mode::kEcho;
    bulk.size = options.bulk_bytes;
    bulk.inflight = kBulkInFlight;
    bulk.rate = 0;
    LanePlace beside{.io = &io, .peer = peer, .handler = HandlerKind::kWorker};
    bulk_lanes_.push_back(MakeBulkLane(std::move(beside), bulk));
  }
  lanes_.push_back(share.mode == Mode::kEcho ? MakeEchoLane(std::move(place), share)
                                             : MakeStreamLane(std::move(place), share));
  return absl::OkStatus();
}

Tally GridClient::Run(const Window& window) {
  duration_ = window.end - window.begin;
  std::latch done(static_cast<std::ptrdiff_t>(lanes_.size() + bulk_lanes_.size()));
  for (const auto* lanes : {&bulk_lanes_, &lanes_}) {
    for (size_t i = 0; i < lanes->size(); ++i) {
      boost::asio::post(threads_.at(i), [&done, &window, lane = (*lanes)[i].get()] {
        lane->Start(window, [&done] { done.count_down(); });
      });
    }
  }
  done.wait();
  Tally sum;
  for (const auto& lane : lanes_) sum.Add(lane->tally());
  for (const auto& lane : bulk_lanes_) {
    bulk_requests_ += lane->tally().requests;
    sum.errors += lane->tally().errors;
    if (sum.first_error.ok()) sum.first_error = lane->tally().first_error;
  }
  return sum;
}

std::string GridClient::MoreOfReport() const {
  if (bulk_lanes_.empty()) return "";
  const double seconds = std::chrono::duration<double>(duration_).count();
  const double bytes = 2.0 * static_cast<double>(bulk_bytes_ * bulk_requests_);
  return absl::StrFormat(",\"bulk_bytes_per_s\":%.0f", bytes / seconds);
}

}  // namespace grid::bench
