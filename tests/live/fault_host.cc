// A host of the fault test: contends with others for the names fault/slot/0 to N-1, by actors that
// write to the test's store as long as they believe to hold their name, gives names up at random,
// and calls the actors of all hosts.
//
//   fault_host INDEX STORE LOG DIRECTORY LEASE_MS PAUSE_MS NAMES HOST...
//
// STORE: the store's socket. DIRECTORY: "hosted", by the first host, or the URL of an etcd.
// PAUSE_MS: between two writes of a name. NAMES: 0: it contends for none. HOST...: the names of all
// members in the mesh, of which INDEX is ours. SIGTERM ends it with status 0; nothing else of the
// cluster's may.
#include <signal.h>
#include <sys/prctl.h>

#include <algorithm>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "grid/actor/actor_system.h"
#include "grid/directory/etcd_directory.h"
#include "grid/directory/hosted_directory.h"
#include "grid/manager.h"
#include "grid/testing/random.h"
#include "tests/live/fault_holder.h"

namespace grid::live {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Settings {
  uint32_t index = 0;
  std::string store, directory;
  milliseconds lease{}, pause{};
  uint32_t names = 0;
  std::vector<std::string> hosts;
};

// Starts a Holder for every name that nobody holds. On the io_context's thread.
class Contender {
 public:
  Contender(asio::io_context& io, Directory& directory, ActorSystem& system, StoreClient& store,
            const Settings& settings)
      : io_(io),
        directory_(directory),
        system_(system),
        store_(store),
        settings_(settings),
        random_(Nanos(RealClock()->Now()) + settings.index),
        slots_(settings.names) {}

  void Start() {
    if (slots_.empty()) return;
    asio::co_spawn(io_, Watch(), asio::detached);
    asio::co_spawn(io_, GiveUp(), asio::detached);
    for (int i = 0; i < 4; ++i) asio::co_spawn(io_, Poke(), asio::detached);
  }
  void Stop() { stopping_ = true; }

 private:
  struct Slot {
    std::set<uint64_t> holders = {};  // epochs, as the watch tells
    bool trying = false;
    std::optional<ActorHandle> ours = {};
    TimePoint given_up = {};
  };

  static Name NameOf(size_t slot) { return *Name::Parse(absl::StrCat("fault/slot/", slot)); }
  static Selector All() { return Selector::Under(*Path::Parse("fault/slot")); }
  size_t SlotOf(const Name& name) const {
    const std::string& text = name.text();
    return std::strtoul(text.c_str() + text.rfind('/') + 1, nullptr, 10);
  }
  asio::awaitable<void> Sleep(Duration time) {
    asio::steady_timer timer(io_, time);
    co_await timer.async_wait(asio::use_awaitable);
  }

  asio::awaitable<void> Watch() {
    absl::StatusOr<Watcher> watcher = directory_.Watch(All());
    if (!watcher.ok()) Die(kBadSetup, watcher.status().ToString());
    while (!stopping_) {
      const absl::StatusOr<WatchEvent> event = co_await watcher->Next();
      if (!event.ok()) {
        if (!stopping_) Die(kBadSetup, event.status().ToString());
        co_return;
      }
      Apply(*event);
    }
  }
  void Apply(const WatchEvent& event) {
    const bool all = event.kind == WatchEvent::Kind::kSnapshot ||
                     event.kind == WatchEvent::Kind::kResynchronised;
    if (all) {
      for (Slot& slot : slots_) slot.holders.clear();
    }
    for (const Entry& entry : event.entries) {
      Slot& slot = slots_.at(SlotOf(entry.name));
      if (event.kind == WatchEvent::Kind::kRemoved) {
        slot.holders.erase(entry.epoch);
      } else {
        slot.holders.insert(entry.epoch);
      }
    }
    for (size_t i = 0; i < slots_.size(); ++i) {
      if (!slots_[i].holders.empty() || slots_[i].trying) continue;
      slots_[i].trying = true;
      asio::co_spawn(io_, Try(i), asio::detached);
    }
  }

  // Whoever has fewer comes first; what one has given up is others' for a while.
  Duration Patience(const Slot& slot) {
    Duration patience = milliseconds(1) + random_.Between(Duration::zero(), milliseconds(20)) +
                        std::chrono::microseconds(500) * held_;
    const TimePoint from = slot.given_up + milliseconds(200);
    return std::max(patience, from - RealClock()->Now());
  }
  asio::awaitable<void> Try(size_t number) {
    Slot& slot = slots_[number];
    while (!stopping_ && slot.holders.empty()) {
      co_await Sleep(Patience(slot));
      if (stopping_ || !slot.holders.empty()) break;
      ActorFactory factory = [this, number] {
        return std::make_unique<Holder>(store_, static_cast<uint32_t>(number), settings_.pause);
      };
      Name name = NameOf(number);
      const absl::StatusOr<ActorHandle> started =
          co_await system_.Start(std::move(name), std::move(factory));
      if (started.ok()) Own(number, *started);
    }
    slot.trying = false;
  }
  void Own(size_t number, const ActorHandle& handle) {
    slots_[number].ours = handle;
    ++held_;
    handle.WaitStopped(asio::bind_executor(
        io_, [this, number, epoch = handle.target().epoch](const absl::Status&) {
          Slot& slot = slots_[number];
          --held_;
          if (slot.ours.has_value() && slot.ours->target().epoch == epoch) slot.ours.reset();
        }));
  }

  asio::awaitable<void> GiveUp() {
    while (!stopping_) {
      co_await Sleep(random_.Between(milliseconds(50), milliseconds(150)));
      const size_t from = random_.Below(slots_.size());
      for (size_t i = 0; i < slots_.size(); ++i) {
        Slot& slot = slots_[(from + i) % slots_.size()];
        if (!slot.ours.has_value() || !slot.ours->running()) continue;
        slot.given_up = RealClock()->Now();
        slot.ours->Stop(random_.OneIn(2) ? StopMode::kAfterCurrent : StopMode::kAfterQueue,
                        asio::detached);
        break;
      }
    }
  }

  asio::awaitable<void> Poke() {
    const CallPolicy policy{.deadline = milliseconds(1000), .back_off = {}};
    const Recipients to = system_.To(All(), Routing::Random(), policy);
    while (!stopping_) {
      co_await Sleep(milliseconds(10));
      const absl::StatusOr<Answer<uint64_t>> answer = co_await to.Call(kPoke, int64_t{1});
      if (answer.ok() && answer->value != answer->from.epoch) {
        Die(kWrongAnswer,
            absl::StrCat("a letter to epoch ", answer->from.epoch, " of ", answer->from.name.text(),
                         " was answered by epoch ", answer->value));
      }
    }
  }

  asio::io_context& io_;
  Directory& directory_;
  ActorSystem& system_;
  StoreClient& store_;
  const Settings& settings_;
  testing::Random random_;
  std::vector<Slot> slots_;
  int held_ = 0;
  bool stopping_ = false;
};

asio::awaitable<void> StopAll(ActorSystem& system, Directory& directory, asio::io_context& io) {
  const absl::Status stopped = co_await system.Stop();
  if (!stopped.ok()) std::fprintf(stderr, "stopped: %s\n", stopped.ToString().c_str());
  (void)co_await directory.Stop();
  io.stop();
}

int Run(const Settings& settings) {
  asio::io_context io{1};
  StoreClient store(settings.store);
  ManagerOptions options;
  options.local = settings.hosts.at(settings.index);
  Manager manager(options);
  absl::Status status;
  for (const std::string& host : settings.hosts) {
    if (host != options.local) status.Update(manager.AddPeer(host));
  }
  DirectoryOptions directory_options;
  directory_options.io = &io;
  directory_options.member = options.local;
  directory_options.lease = settings.lease;
  directory_options.timeout = seconds(2);
  HostedDirectory names;
  if (settings.directory == "hosted") {
    auto hosted = MakeHostedDirectory(manager, settings.hosts, directory_options);
    status.Update(hosted.status());
    if (hosted.ok()) names = *std::move(hosted);
  } else {
    EtcdOptions etcd;
    etcd.endpoints = {settings.directory};
    auto directory = MakeEtcdDirectory(etcd, directory_options);
    status.Update(directory.status());
    if (directory.ok()) names.directory = *std::move(directory);
  }
  if (!status.ok()) Die(kBadSetup, status.ToString());
  auto system = ActorSystem::Make(manager, *names.directory, {.io = &io, .threads = 4});
  if (!system.ok()) Die(kBadSetup, system.status().ToString());
  status.Update(manager.Start());
  status.Update(manager.Listen(options.local.substr(7)).status());
  if (!status.ok()) Die(kBadSetup, status.ToString());

  Contender contender(io, *names.directory, **system, store, settings);
  names.directory->WaitReady(seconds(30), [&](const absl::Status& ready) {
    if (!ready.ok()) Die(kBadSetup, ready.ToString());
    store.Ask({.what = StoreRequest::kHello, .name = settings.index});
    contender.Start();
  });
  asio::signal_set signals(io, SIGTERM);
  signals.async_wait([&](const boost::system::error_code&, int) {
    contender.Stop();
    asio::co_spawn(io, StopAll(**system, *names.directory, io), asio::detached);
  });
  io.run();
  system->reset();
  names.directory.reset();
  names.server.reset();
  manager.Stop();
  // What they have posted to let go of each other.
  io.restart();
  while (io.poll() > 0) {
  }
  return 0;
}

}  // namespace
}  // namespace grid::live

int main(int argc, char** argv) {
  // Never left behind by a test that has died.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (argc < 9) return grid::live::kBadSetup;
  grid::live::Settings settings;
  settings.index = static_cast<uint32_t>(std::atoi(argv[1]));
  settings.store = argv[2];
  if (std::freopen(argv[3], "a", stderr) == nullptr) return grid::live::kBadSetup;
  settings.directory = argv[4];
  settings.lease = std::chrono::milliseconds(std::atoi(argv[5]));
  settings.pause = std::chrono::milliseconds(std::atoi(argv[6]));
  settings.names = static_cast<uint32_t>(std::atoi(argv[7]));
  settings.hosts.assign(argv + 8, argv + argc);
  return grid::live::Run(settings);
}
