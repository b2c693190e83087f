// The contract of directories, on the hosted one; and what is its own.
#include "grid/directory/hosted_directory.h"

#include <gtest/gtest.h>

#include <map>

#include "grid/directory/directory_client.h"
#include "grid/directory/hosted_protocol.h"
#include "grid/testing/random.h"
#include "tests/directory/contract.h"
#include "tests/directory/hosted_world.h"

namespace grid {
namespace {

std::unique_ptr<World> MakeHostedWorld(WorldOptions options) {
  return std::make_unique<HostedWorld>(std::move(options));
}
// Answers carry what matters themselves, whatever the connection can do.
std::unique_ptr<World> MakeVersion1World(WorldOptions options) {
  return std::make_unique<HostedWorld>(
      std::move(options), testing::ClusterOptions{.adjust = [](int, ManagerOptions& manager) {
        manager.extensions.credits = false;
        manager.extensions.status = false;
        manager.extensions.fragment_bytes = 0;
        manager.extensions.zstd_level = 0;
        manager.extensions.meta = false;
        manager.extensions.handlers16 = false;
        manager.extensions.goaway = false;
        manager.extensions.client = false;
      }});
}
std::unique_ptr<World> MakeInterleavedWorld(WorldOptions options) {
  return std::make_unique<HostedWorld>(std::move(options),
                                       testing::ClusterOptions{.seed = 7, .interleave = true});
}

INSTANTIATE_TEST_SUITE_P(Hosted, DirectoryContract,
                         ::testing::Values(&MakeHostedWorld, &MakeVersion1World,
                                           &MakeInterleavedWorld));

class HostedDirectoryTest : public DirectoryContract {
 protected:
  HostedWorld& hosted() { return static_cast<HostedWorld&>(world()); }
  static DirectoryOptions Options(testing::Cluster& cluster) {
    DirectoryOptions options;
    options.io = &cluster.io();
    options.clock = cluster.shared_clock();
    options.log = NullLog();
    options.seed = 1;
    return options;
  }
};

TEST_P(HostedDirectoryTest, ServersRestart_ExclusiveHoldersKeepTheirNamesAndEpochs) {
  Make();
  std::vector<Registration> held;
  std::vector<uint64_t> epochs;
  for (int i = 0; i < 60; ++i) {
    Held one = Register(i % World::kMembers, "r/k/" + std::to_string(i),
                        i % 4 == 0 ? Holding::kShared : Holding::kExclusive);
    ASSERT_TRUE(one.ok());
    epochs.push_back(one->epoch());
    held.push_back(*std::move(one));
  }
  for (int round = 0; round < 3; ++round) {
    world().KillServer();
    world().RunFor(seconds(1));
    world().StartServer();
    world().RunFor(lease() * 2);
    for (size_t i = 0; i < held.size(); ++i) {
      EXPECT_TRUE(held[i].token().valid()) << held[i].token().why();
      EXPECT_EQ(held[i].epoch(), epochs[i]);
    }
    EXPECT_EQ(hosted().server().Stats().claimed, 60u);
    EXPECT_EQ(hosted().server().Stats().entries, 60u);
  }
  EXPECT_EQ(At(0).Stats().claimed, 60u);
}

// Nobody gets a name because its holder was slower to come back.
TEST_P(HostedDirectoryTest, ServersRestart_HolderThatIsCutOffIsWaitedFor) {
  Make();
  const Held held = Register(0, "r/k/a");
  ASSERT_TRUE(held.ok());
  world().KillServer();
  world().Cut(0);
  world().StartServer();
  testing::Probe<Held> other("other");
  At(1).Register(N("r/k/a"), Holding::kExclusive, {}, seconds(60), other.Handler());
  world().RunUntil([&] { return !held->token().valid(); }, lease());
  EXPECT_FALSE(held->token().valid());
  EXPECT_FALSE(other.done());
  ASSERT_TRUE(world().RunUntil([&] { return other.done(); }, lease()));
  EXPECT_TRUE(other.value().ok()) << other.value().status();
}

TEST_P(HostedDirectoryTest, FirstStart_DoesNotWaitForALease) {
  Make();
  const TimePoint began = world().Now();
  EXPECT_TRUE(Register(0, "r/k/a").ok());
  EXPECT_LT(world().Now() - began, seconds(5));
}

TEST_P(HostedDirectoryTest, ServingMember_HoldsNamesAsTheOthersDo) {
  Make();
  testing::Probe<Held> held("held");
  hosted().ServersOwn().Register(N("r/k/a"), Holding::kExclusive, {}, milliseconds(0),
                                 held.Handler());
  ASSERT_TRUE(world().RunUntil([&] { return held.done(); }, seconds(10)));
  ASSERT_TRUE(held.value().ok()) << held.value().status();
  const Held other = Register(1, "r/k/a");
  ASSERT_TRUE(HolderOf(other.status()).has_value());
  EXPECT_EQ(HolderOf(other.status())->member, hosted().cluster().name(0));
}

// More entries than fit into one message, with all the attributes they may have.
TEST_P(HostedDirectoryTest, ManyEntries_TravelInParts) {
  Make({.adjust = [](int, DirectoryOptions& options) { options.limits.max_watch_events = 10; }});
  constexpr size_t kCount = internal::kEntriesPerMessage * 2 + 7;
  std::vector<testing::Probe<Held>> probes;
  for (size_t i = 0; i < kCount; ++i) probes.emplace_back("probe");
  for (size_t i = 0; i < kCount; ++i) {
    At(0).Register(N("r/k/" + std::to_string(i)), Holding::kShared,
                   {{"big", std::string(1000, 'x')}}, milliseconds(0), probes[i].Handler());
  }
  ASSERT_TRUE(world().RunUntil([&] { return probes[kCount - 1].done(); }, seconds(60)));
  const absl::StatusOr<Resolution> all = Resolve(1, Under("r"));
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_EQ(all->entries.size(), kCount);
  Watcher watcher = Watch(2, Under("r"));
  const absl::StatusOr<WatchEvent> snapshot = Next(watcher);
  ASSERT_TRUE(snapshot.ok());
  EXPECT_EQ(snapshot->entries.size(), kCount);
  EXPECT_EQ(hosted().server().Stats().watches, 1u);
  watcher.Close();
  world().RunFor(seconds(1));
  EXPECT_EQ(hosted().server().Stats().watches, 0u);
}

TEST_P(HostedDirectoryTest, BadMessages_AreAnsweredWithWhatIsWrong) {
  Make();
  testing::Probe<absl::StatusOr<internal::Outcome>> answer("answer");
  internal::kDirectoryRegister.Call(hosted().cluster().Peer(1, 0), {.name = "a//b"}, {},
                                    answer.Handler());
  testing::Probe<absl::StatusOr<internal::Outcome>> attributes("attributes");
  internal::kDirectoryRegister.Call(hosted().cluster().Peer(1, 0),
                                    {.name = "r/k/a", .attributes = {{"", "x"}}}, {},
                                    attributes.Handler());
  ASSERT_TRUE(world().RunUntil([&] { return attributes.done(); }, seconds(5)));
  ASSERT_TRUE(answer.value().ok() && attributes.value().ok());
  EXPECT_EQ(internal::StatusOf(*answer.value()).message(),
            "name \"a//b\": at byte 2: a segment is empty");
  EXPECT_EQ(internal::StatusOf(*attributes.value()).message(), "attribute \"\": the key is empty");
  auto stream = internal::kDirectoryWatch.Open(hosted().cluster().Peer(1, 0), {.selector = "all"});
  ASSERT_TRUE(stream.ok());
  testing::Probe<absl::StatusOr<std::optional<internal::WatchEventMessage>>> read("read");
  stream->Read(read.Handler());
  ASSERT_TRUE(world().RunUntil([&] { return read.done(); }, seconds(5)));
  EXPECT_NE(std::string(read.value().status().message()).find("at byte 0: expected"),
            std::string::npos);
}

// Whatever it asks for, only members may take names from others.
TEST_P(HostedDirectoryTest, ClientOfTheMesh_WatchesAndFlushesNothing) {
  testing::Cluster cluster(
      {.nodes = 2, .names = {"http://node0:9000", "backup@host7"}, .clients = {1}});
  ASSERT_TRUE(cluster.Start(0).ok());
  const DirectoryOptions options = Options(cluster);
  auto hosted = MakeHostedDirectory(cluster.manager(0), {cluster.name(0)}, options);
  ASSERT_TRUE(hosted.ok()) << hosted.status();
  ASSERT_TRUE(cluster.Start(1).ok());
  DirectoryOptions client = options;
  client.member = cluster.name(1);
  client.client = true;
  auto directory = MakeDirectory(client, MakeHostedBackend(cluster.Peer(1, 0), cluster.io()));
  ASSERT_TRUE(directory.ok()) << directory.status();
  testing::Probe<Held> held("held");
  hosted->directory->Register(N("r/k/a"), Holding::kExclusive, {}, milliseconds(0), held.Handler());
  testing::Probe<absl::StatusOr<uint64_t>> flushed("flushed");
  (*directory)->Flush(milliseconds(0), flushed.Handler());
  testing::Probe<absl::StatusOr<Resolution>> found("found");
  ASSERT_TRUE(cluster.RunUntil([&] { return held.done() && flushed.done(); }, seconds(10)));
  EXPECT_EQ(flushed.value().status().code(), absl::StatusCode::kPermissionDenied);
  (*directory)->Resolve(Selector::Under(Path::Root()), milliseconds(0), found.Handler());
  ASSERT_TRUE(cluster.RunUntil([&] { return found.done(); }, seconds(10)));
  ASSERT_TRUE(found.value().ok()) << found.value().status();
  EXPECT_EQ(Text(found.value()->entries), "r/k/a");
  EXPECT_TRUE(held.value()->token().valid());
  directory->reset();
  hosted->directory.reset();
  hosted->server.reset();
  held.value() = absl::NotFoundError("dropped");
  cluster.Drain();
}

TEST_P(HostedDirectoryTest, TableOfOneMember_IsWatchedByOthers_AndChangedByThatOneAlone) {
  testing::Cluster cluster({.nodes = 2});
  DirectoryOptions options = Options(cluster);
  ASSERT_TRUE(cluster.Start(0).ok());
  auto server = DirectoryServer::Serve(
      cluster.manager(0),
      {.io = options.io, .members = {cluster.name(0)}, .one_member = true, .clock = options.clock});
  ASSERT_TRUE(server.ok()) << server.status();
  ASSERT_TRUE(cluster.Start(1).ok());
  options.member = cluster.name(0);
  auto own = MakeDirectory(options, (*server)->Backend(*options.io, options.member));
  options.member = cluster.name(1);
  auto other = MakeDirectory(options, MakeHostedBackend(cluster.Peer(1, 0), *options.io));
  ASSERT_TRUE(own.ok() && other.ok());
  testing::Probe<Held> held("held"), refused("refused");
  (*own)->Register(N("r/k/a"), Holding::kExclusive, {}, milliseconds(0), held.Handler());
  (*other)->Register(N("r/k/b"), Holding::kExclusive, {}, milliseconds(0), refused.Handler());
  ASSERT_TRUE(cluster.RunUntil([&] { return held.done() && refused.done(); }, seconds(10)));
  ASSERT_TRUE(held.value().ok()) << held.value().status();
  EXPECT_EQ(refused.value().status().code(), absl::StatusCode::kPermissionDenied);
  testing::Probe<absl::StatusOr<Resolution>> found("found");
  (*other)->Resolve(Selector::Under(Path::Root()), milliseconds(0), found.Handler());
  ASSERT_TRUE(cluster.RunUntil([&] { return found.done(); }, seconds(10)));
  ASSERT_TRUE(found.value().ok()) << found.value().status();
  EXPECT_EQ(Text(found.value()->entries), "r/k/a");
  held.value() = absl::NotFoundError("dropped");
  other->reset();
  own->reset();
  server->reset();
  cluster.Drain();
}

// Who patrols need not be a member; but what members hold is out of its reach, whatever it is
// called.
TEST_P(HostedDirectoryTest, ClientOfTheMesh_HoldsTheNamesOfPatrolsOnly) {
  testing::Cluster cluster({.nodes = 3,
                            .names = {"http://node0:9000", "backup@host7", "http://node1:9000"},
                            .clients = {1, 2}});
  ASSERT_TRUE(cluster.Start(0).ok());
  auto hosted = MakeHostedDirectory(cluster.manager(0), {cluster.name(0)}, Options(cluster));
  ASSERT_TRUE(hosted.ok()) << hosted.status();
  std::vector<std::unique_ptr<Directory>> directories;
  for (int node : {1, 2}) {
    ASSERT_TRUE(cluster.Start(node).ok());
    DirectoryOptions options = Options(cluster);
    options.member = cluster.name(node);
    auto made = MakeDirectory(options, MakeHostedBackend(cluster.Peer(node, 0), cluster.io()));
    ASSERT_TRUE(made.ok()) << made.status();
    directories.push_back(*std::move(made));
  }
  {
    testing::Probe<Held> patrol("patrol"), actor("actor");
    directories[0]->Register(N("sys/patrol/r.k"), Holding::kExclusive, {}, milliseconds(0),
                             patrol.Handler());
    directories[0]->Register(N("r/k/a"), Holding::kShared, {}, milliseconds(0), actor.Handler());
    testing::Probe<absl::Status> ready("ready");
    directories[1]->WaitReady(seconds(5), ready.Handler());
    ASSERT_TRUE(cluster.RunUntil([&] { return patrol.done() && actor.done() && ready.done(); },
                                 seconds(10)));
    ASSERT_TRUE(patrol.value().ok()) << patrol.value().status();
    EXPECT_EQ(patrol.value()->entry().member, "backup@host7");
    EXPECT_EQ(actor.value().status().code(), absl::StatusCode::kPermissionDenied);
    EXPECT_EQ(ready.value().code(), absl::StatusCode::kPermissionDenied);
    cluster.RunFor(3 * Options(cluster).lease);
    EXPECT_TRUE(patrol.value()->token().valid()) << "it renews its lease";
  }
  directories.clear();
  hosted->directory.reset();
  hosted->server.reset();
  cluster.Drain();
}

// Waiting would not make one of it.
TEST_P(HostedDirectoryTest, HostThatServesNoDirectory_IsAnErrorAtOnce) {
  Make();
  DirectoryOptions options = Options(hosted().cluster());
  options.member = "client";
  options.client = true;
  auto directory =
      MakeDirectory(options, MakeHostedBackend(hosted().cluster().Peer(1, 2), *options.io));
  ASSERT_TRUE(directory.ok()) << directory.status();
  testing::Probe<absl::Status> ready("ready");
  (*directory)->WaitReady(seconds(60), ready.Handler());
  const TimePoint began = world().Now();
  ASSERT_TRUE(world().RunUntil([&] { return ready.done(); }, seconds(90)));
  EXPECT_EQ(ready.value().code(), absl::StatusCode::kUnimplemented) << ready.value();
  EXPECT_LT(world().Now() - began, seconds(5));
  directory->reset();
  hosted().cluster().Drain();
}

TEST_P(HostedDirectoryTest, ServerThatDrains_EndsItsWatches) {
  Make();
  Watcher watcher = Watch(0, Under("r"));
  EXPECT_EQ(NextText(watcher), "snapshot");
  const TimePoint began = world().Now();
  hosted().cluster().StopGracefully(0, seconds(30));
  EXPECT_LT(world().Now() - began, seconds(5));
}

// Whatever happens to members and server: of one name there is never more than one token that is
// valid, and who comes later has the greater epoch.
TEST_P(HostedDirectoryTest, RandomFaults_NeverTwoHolders) {
  constexpr int kNames = 5;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Make({.lease = seconds(3)});
    testing::Random random(seed);
    // Of each name, by member.
    std::map<std::pair<int, int>, std::shared_ptr<Held>> held;
    std::map<int, uint64_t> greatest;
    bool server = true;
    bool alive[World::kMembers] = {true, true, true};
    const auto check = [&] {
      for (int name = 0; name < kNames; ++name) {
        int valid = 0;
        for (int member = 0; member < World::kMembers; ++member) {
          const auto found = held.find({name, member});
          if (found == held.end() || !found->second->ok()) continue;
          if ((*found->second)->token().valid()) ++valid;
        }
        EXPECT_LE(valid, 1) << "name " << name;
      }
      return false;
    };
    for (int step = 0; step < 150 && !HasFailure(); ++step) {
      const int member = static_cast<int>(random.Below(World::kMembers));
      const int name = static_cast<int>(random.Below(kNames));
      switch (random.Below(10)) {
        case 0:
          if (server) world().KillServer();
          if (!server) world().StartServer();
          server = !server;
          break;
        case 1:
          if (alive[member]) {
            world().Kill(member);
            // A process that is dead passes no check.
            std::erase_if(held, [&](const auto& one) { return one.first.second == member; });
          } else {
            world().Start(member);
          }
          alive[member] = !alive[member];
          break;
        case 2:
          world().Cut(member);
          break;
        case 3:
          world().Heal(member);
          break;
        case 4:
          held.erase({name, member});
          break;
        case 5:
          // Whoever flushes asks for a name at once.
          if (alive[member]) At(member).Flush(seconds(5), [](const absl::StatusOr<uint64_t>&) {});
          [[fallthrough]];
        default: {
          if (!alive[member]) break;
          auto one = std::make_shared<Held>(absl::UnknownError("waiting"));
          const auto before = held.find({name, member});
          if (before != held.end() && before->second->ok() && (*before->second)->token().valid()) {
            break;
          }
          held[{name, member}] = one;
          At(member).Register(N("r/k/" + std::to_string(name)), Holding::kExclusive, {}, seconds(5),
                              [one, &greatest, name](Held got) {
                                if (got.ok()) {
                                  EXPECT_GT(got->epoch(), greatest[name]);
                                  greatest[name] = got->epoch();
                                }
                                *one = std::move(got);
                              });
        }
      }
      world().RunUntil(check, milliseconds(random.Below(1500)));
    }
    // In the end every name can be held again.
    if (!server) world().StartServer();
    for (int member = 0; member < World::kMembers; ++member) {
      if (!alive[member]) world().Start(member);
      world().Heal(member);
    }
    held.clear();
    world().RunFor(lease() * 3);
    for (int name = 0; name < kNames; ++name) {
      const Held last = Register(name % World::kMembers, "r/k/" + std::to_string(name));
      EXPECT_TRUE(last.ok()) << last.status();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Hosted, HostedDirectoryTest, ::testing::Values(&MakeHostedWorld));

}  // namespace
}  // namespace grid
