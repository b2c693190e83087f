// A node of a key-value store: a storage server in small. Every node holds every key, in memory. A
// client asks any node, which coordinates:
//
//   Put    learns the newest version from a quorum (2 of 3), sends a newer one to all, and says how
//          many have it: below a quorum the write may last or not, and the client is told so.
//   Get    asks a quorum. Where those differ it stores the newest on a quorum before it answers.
//   Watch  what there is under a prefix, then what changes: of each key the newest, so that a slow
//          reader misses steps between, never the end, and costs no more than there are keys.
//
// The greater version wins, in whatever order they arrive. Any two quorums share a node, so Get
// sees every write that was acknowledged before. A node that starts has forgotten what it promised,
// and votes only after it has copied what both others hold: one node at a time may be lost.
#ifndef GRID_TOOLS_EXAMPLES_KV_NODE_H_
#define GRID_TOOLS_EXAMPLES_KV_NODE_H_

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grid/manager.h"
#include "handlers/single_handler.h"
#include "handlers/stream_handler.h"

namespace kv {

namespace asio = boost::asio;

inline constexpr size_t kNodes = 3;
inline constexpr size_t kQuorum = kNodes / 2 + 1;

// --- What is called: one definition for both ends ---

struct Version {
  uint64_t number = 0;  // 0: never written
  uint64_t writer = 0;  // decides between two of one number; new with every start of a node
  // clang-tidy looks into the comparison that the compiler writes.
  auto operator<=>(const Version&) const = default;  // NOLINT(modernize-use-nullptr)
  MSGPACK_DEFINE_MAP(number, writer);
};
struct Entry {
  std::string key, value;
  Version version;
  MSGPACK_DEFINE_MAP(key, value, version);
};
struct Key {
  std::string key;
  MSGPACK_DEFINE_MAP(key);
};
struct PutRequest {
  std::string key, value;
  MSGPACK_DEFINE_MAP(key, value);
};
struct PutReply {
  uint64_t copies = 0;  // nodes known to hold it; 0: nothing was written
  MSGPACK_DEFINE_MAP(copies);
};
struct WatchRequest {
  std::string prefix;
  bool follow = true;  // false: ends after what there is
  MSGPACK_DEFINE_MAP(prefix, follow);
};

inline constexpr grid::SingleHandler<PutRequest, PutReply> kPut{grid::HandlerId{10}};
inline constexpr grid::SingleHandler<Key, Entry> kGet{grid::HandlerId{11}};
inline constexpr grid::StreamHandler<WatchRequest, grid::NoPayload, Entry> kWatch{
    grid::HandlerId{12}, {.out = 64}};
// Of one replica, for coordinators.
inline constexpr grid::SingleHandler<Key, Entry> kFetch{grid::HandlerId{13}};
inline constexpr grid::SingleHandler<Entry, grid::NoPayload> kStore{grid::HandlerId{14}};

// --- A node ---

// Lets coroutines of one thread wait until something has happened.
class Signal {
 public:
  explicit Signal(asio::io_context& io) : timer_(io, asio::steady_timer::time_point::max()) {}
  void Notify() { timer_.cancel(); }
  asio::awaitable<void> Wait() {
    auto wait = timer_.async_wait(asio::as_tuple(asio::use_awaitable));
    co_await std::move(wait);
  }

 private:
  asio::steady_timer timer_;
};

// Nodes that can't be reached are what this is about, and no news: errors only.
inline std::shared_ptr<grid::LogSink> Log() {
  return grid::SpdlogLog("kv", grid::LogLevel::kError);
}

struct NodeOptions {
  std::string local;
  std::vector<std::string> peers;    // the other nodes
  std::vector<std::string> clients;  // who else may connect
};

// Does everything on the one thread of its io_context, so nothing of it needs a lock.
class Node {
 public:
  Node(asio::io_context& io, NodeOptions options)
      : io_(io), options_(std::move(options)), manager_(MeshOptions()) {}

  absl::Status Start() {
    absl::Status status = Register();
    for (const std::string& client : options_.clients) status.Update(manager_.AddPeer(client));
    for (const std::string& peer : options_.peers) {
      status.Update(manager_.AddPeer(peer));
      peers_.push_back(manager_.Connection(peer));
    }
    status.Update(manager_.Start());
    if (status.ok()) status = manager_.Listen(options_.local.substr(7)).status();
    if (status.ok()) asio::co_spawn(io_, CatchUp(), asio::detached);
    return status;
  }

  void Stop(std::function<void()> stopped) {
    stopping_ = true;
    manager_.StopAsync(std::move(stopped));
  }

 private:
  using WatchStream = decltype(kWatch)::HandlerStream;

  struct Watcher {
    std::string prefix;
    Signal changed;
    std::set<std::string> pending = {};  // keys whose entries are still to be sent
  };

  grid::ManagerOptions MeshOptions() const {
    grid::ManagerOptions options;
    options.local = options_.local;
    options.log = Log();
    options.io_contexts = {&io_};
    options.timeouts.redial_min = std::chrono::milliseconds(50);
    options.timeouts.redial_max = std::chrono::milliseconds(100);
    return options;
  }

  absl::Status Register() {
    const grid::RegisterOptions here{.run_on = grid::RunOn::kIoThread};
    absl::Status status = kPut.Register(
        manager_, [this](const PutRequest& put, grid::RequestContext&) { return Put(put); });
    status.Update(kGet.Register(
        manager_, [this](const Key& key, grid::RequestContext&) { return Get(key); }));
    status.Update(kFetch.Register(
        manager_, [this](const Key& key, grid::RequestContext&) { return Fetch(key); }, here));
    status.Update(kStore.Register(
        manager_, [this](const Entry& entry, grid::RequestContext&) { return Store(entry); },
        here));
    status.Update(kWatch.Register(manager_, [this](const WatchRequest& request, WatchStream& stream,
                                                   grid::RequestContext& context) {
      return Watch(request, stream, context);
    }));
    return status;
  }

  asio::awaitable<absl::StatusOr<PutReply>> Put(const PutRequest& request) {
    const Key key{request.key};
    auto asking = AskNewest(key);
    const absl::StatusOr<Newest> newest = co_await std::move(asking);
    PutReply reply;
    if (!newest.ok()) co_return reply;
    last_number_ = std::max(last_number_, newest->entry.version.number) + 1;
    const Entry entry{request.key, request.value, {last_number_, writer_}};
    auto storing = StoreOnAll(entry);
    reply.copies = co_await std::move(storing);
    co_return reply;
  }

  asio::awaitable<absl::StatusOr<Entry>> Get(const Key& key) {
    auto asking = AskNewest(key);
    const absl::StatusOr<Newest> newest = co_await std::move(asking);
    if (!newest.ok()) co_return newest.status();
    if (!newest->agreed) {
      auto storing = StoreOnAll(newest->entry);
      const size_t copies = co_await std::move(storing);
      if (copies < kQuorum) co_return absl::UnavailableError("the newest value is not on a quorum");
    }
    co_return newest->entry;
  }

  absl::StatusOr<Entry> Fetch(const Key& key) const {
    if (!ready_) return absl::UnavailableError("catching up");
    const auto it = entries_.find(key.key);
    return it == entries_.end() ? Entry{key.key, "", {}} : it->second;
  }

  // What comes while we catch up is kept, but is no vote.
  absl::Status Store(const Entry& entry) {
    Apply(entry);
    return ready_ ? absl::OkStatus() : absl::UnavailableError("catching up");
  }

  asio::awaitable<absl::Status> Watch(const WatchRequest& request, WatchStream& stream,
                                      grid::RequestContext& context) {
    auto watcher = std::make_shared<Watcher>(Watcher{request.prefix, Signal(io_)});
    for (const auto& [key, entry] : entries_) {
      if (key.starts_with(request.prefix)) watcher->pending.insert(key);
    }
    watchers_.insert(watcher);
    const absl::Cleanup forget = [this, watcher] { watchers_.erase(watcher); };
    context.OnCancel([watcher] { watcher->changed.Notify(); });
    while (!context.cancelled()) {
      const std::set<std::string> batch = std::exchange(watcher->pending, {});
      for (const std::string& key : batch) {
        auto writing = stream.Write(entries_.at(key));
        const absl::Status written = co_await std::move(writing);
        if (!written.ok()) co_return written;
      }
      if (!watcher->pending.empty()) continue;
      if (!request.follow) co_return absl::OkStatus();
      auto waiting = watcher->changed.Wait();
      co_await std::move(waiting);
    }
    co_return context.cancellation();
  }

  // Copies what both others hold: what was acknowledged before we lost it is with one of them.
  asio::awaitable<void> CatchUp() {
    for (const grid::Connection& peer : peers_) {
      for (;;) {
        auto copying = CopyFrom(peer);
        const absl::Status copied = co_await std::move(copying);
        if (stopping_) co_return;
        if (copied.ok()) break;
        asio::steady_timer pause(io_, std::chrono::milliseconds(50));
        auto wait = pause.async_wait(asio::as_tuple(asio::use_awaitable));
        co_await std::move(wait);
      }
    }
    ready_ = true;
  }
  asio::awaitable<absl::Status> CopyFrom(const grid::Connection& peer) {
    auto stream = kWatch.Open(peer, {.prefix = "", .follow = false},
                              {.timeout = std::chrono::seconds(5), .wait_for_ready = true});
    if (!stream.ok()) co_return stream.status();
    auto reading = stream->Results([this](const Entry& entry) {
      Apply(entry);
      return absl::OkStatus();
    });
    co_return co_await std::move(reading);
  }

  void Apply(const Entry& entry) {
    Entry& kept = entries_[entry.key];
    if (entry.version <= kept.version) return;
    kept = entry;
    for (const std::shared_ptr<Watcher>& watcher : watchers_) {
      if (!entry.key.starts_with(watcher->prefix)) continue;
      watcher->pending.insert(entry.key);
      watcher->changed.Notify();
    }
  }

  struct Newest {
    Entry entry;
    bool agreed = true;  // all that were asked hold this one
  };
  asio::awaitable<absl::StatusOr<Newest>> AskNewest(const Key& key) {
    absl::StatusOr<Entry> own = Fetch(key);
    if (!own.ok()) co_return own.status();
    auto asking = AskPeers(kFetch, key);
    const std::vector<Entry> others = co_await std::move(asking);
    if (others.size() + 1 < kQuorum) co_return absl::UnavailableError("there is no quorum");
    Newest newest{.entry = *std::move(own)};
    for (const Entry& other : others) {
      newest.agreed = newest.agreed && other.version == newest.entry.version;
      if (other.version > newest.entry.version) newest.entry = other;
    }
    co_return newest;
  }

  // On how many it is, once these are a quorum or nobody else will answer.
  asio::awaitable<size_t> StoreOnAll(const Entry& entry) {
    Apply(entry);
    auto asking = AskPeers(kStore, entry);
    const std::vector<grid::NoPayload> stored = co_await std::move(asking);
    co_return stored.size() + 1;
  }

  // Asks both others at once; the answers that make a quorum with us, or those there are.
  template <typename Req, typename Resp>
  asio::awaitable<std::vector<Resp>> AskPeers(const grid::SingleHandler<Req, Resp>& handler,
                                              const Req& request) {
    struct Round {
      Signal arrived;
      size_t pending;
      std::vector<Resp> good = {};
    };
    // Shared with answers that come too late to matter.
    auto round = std::make_shared<Round>(Round{Signal(io_), peers_.size()});
    for (const grid::Connection& peer : peers_) {
      handler.Call(peer, request, {.timeout = std::chrono::seconds(1)},
                   [round](absl::StatusOr<Resp> answer) {
                     --round->pending;
                     if (answer.ok()) round->good.push_back(*std::move(answer));
                     round->arrived.Notify();
                   });
    }
    while (round->pending > 0 && round->good.size() + 1 < kQuorum) {
      auto waiting = round->arrived.Wait();
      co_await std::move(waiting);
    }
    co_return round->good;
  }

  asio::io_context& io_;
  const NodeOptions options_;
  std::vector<grid::Connection> peers_;
  std::map<std::string, Entry> entries_;
  std::set<std::shared_ptr<Watcher>> watchers_;
  const uint64_t writer_ = std::random_device()();
  uint64_t last_number_ = 0;
  bool ready_ = false;  // to vote
  bool stopping_ = false;
  grid::Manager manager_;  // the first to go: its handlers use all the above
};

}  // namespace kv

#endif  // GRID_TOOLS_EXAMPLES_KV_NODE_H_
