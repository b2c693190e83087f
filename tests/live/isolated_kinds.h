// The kinds that the tests of isolated actors have in both programs: the host's and, started by it,
// the actor's own.
#ifndef GRID_TESTS_LIVE_ISOLATED_KINDS_H_
#define GRID_TESTS_LIVE_ISOLATED_KINDS_H_

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "grid/actor/actor_system.h"
#include "grid/actor/isolated_client.h"
#include "grid/actor/kind.h"
#include "grid/directory/directory_client.h"
#include "grid/directory/hosted_directory.h"

namespace grid::live {

inline constexpr MessageType<std::string, std::string> kEcho{"echo"};
inline constexpr MessageType<std::string, std::string> kRepeat{"repeat"};  // eight times
inline constexpr MessageType<std::string, int64_t> kPid{"pid"};
inline constexpr MessageType<std::string, std::string> kWhoAsks{"who-asks"};
inline constexpr MessageType<std::string, bool> kLeaseValid{"lease-valid"};
inline constexpr MessageType<std::string, bool> kAwaitLeaseEnd{"await-lease-end"};  // 10 s at most
inline constexpr MessageType<std::string, std::string> kFail{"fail"};
inline constexpr MessageType<std::string, std::string> kDrop{"drop"};
inline constexpr MessageType<std::string, std::string> kSay{"say"};
inline constexpr MessageType<std::string, std::string> kCrash{"crash"};
inline constexpr MessageType<std::string, std::string> kExit{"exit"};
inline constexpr MessageType<std::string, std::string> kHang{"hang"};
// To whoever is below the path that is sent.
inline constexpr MessageType<std::string, std::string> kCallOn{"call-on"};
inline constexpr MessageType<std::string> kSendOn{"send-on"};

inline CallPolicy Within(std::chrono::milliseconds deadline) {
  CallPolicy policy;
  policy.deadline = deadline;
  return policy;
}

class Worker final : public Actor {
 public:
  using Text = absl::StatusOr<std::string>;

  explicit Worker(const StartArguments& arguments) : arguments_(arguments) {
    On(kEcho, [](const std::string& text, ActorContext&) -> Text { return text; });
    On(kRepeat, [](const std::string& text, ActorContext&) -> Text {
      std::string answer;
      for (int i = 0; i < 8; ++i) answer += text;
      return answer;
    });
    On(kPid, [](const std::string&, ActorContext&) -> absl::StatusOr<int64_t> { return getpid(); });
    On(kWhoAsks, [this](const std::string&, ActorContext& context) -> Text {
      return context.sender().process.host + " started by " + arguments_.caller.host +
             ", message " +
             std::to_string(context.sender().publication.value_or(Publication()).sequence);
    });
    On(kLeaseValid, [](const std::string&, ActorContext& context) -> absl::StatusOr<bool> {
      return context.lease().valid();
    });
    On(kAwaitLeaseEnd, [](const std::string&, ActorContext& context) -> absl::StatusOr<bool> {
      for (int i = 0; i < 10'000 && context.lease().valid(); ++i) usleep(1000);
      return !context.lease().valid();
    });
    On(kFail,
       [](const std::string& text, ActorContext&) -> Text { return absl::DataLossError(text); });
    On(kDrop, [](const std::string&, Reply<std::string>, ActorContext&) {});
    On(kSay, [](const std::string& text, ActorContext&) -> Text {
      std::fprintf(stderr, "%s\n", text.c_str());
      return text;
    });
    On(kCrash, [](const std::string&, ActorContext&) -> Text { std::abort(); });
    On(kExit, [](const std::string&, ActorContext&) -> Text { _exit(3); });
    On(kHang, [](const std::string&, ActorContext&) -> Text { Hang(); });
    On(kCallOn, [](const std::string& path, ActorContext& context) -> asio::awaitable<Text> {
      const Recipients to = Below(path, context);
      const absl::StatusOr<Answer<std::string>> answer = co_await to.Call(kEcho, path);
      if (!answer.ok()) co_return answer.status();
      co_return answer->value;
    });
    On(kSendOn,
       [](const std::string& path, ActorContext& context) -> asio::awaitable<absl::Status> {
         const Recipients to = Below(path, context);
         co_return co_await to.Send(kEcho, path);
       });
  }

  asio::awaitable<absl::Status> OnStart(ActorContext& context) override {
    lease_ = context.lease();
    const std::string mode = Parameter("_start");
    if (mode.empty()) co_return absl::OkStatus();
    if (mode == "fail") co_return absl::DataLossError("no disk");
    if (mode == "crash") std::abort();
    Hang();
  }
  void OnStop(const absl::Status&) override {
    const std::string mode = Parameter("_stop");
    if (mode.empty()) return;
    if (mode == "hang") Hang();
    usleep(200'000);
    std::fprintf(stderr, "stopped with a lease that %s\n", lease_.valid() ? "holds" : "is lost");
  }

 private:
  static Recipients Below(const std::string& path, ActorContext& context) {
    return context.system().To(Selector::Under(*Path::Parse(path)), {},
                               Within(std::chrono::seconds(2)));
  }
  std::string Parameter(const std::string& key) const {
    const auto found = arguments_.parameters.find(key);
    return found == arguments_.parameters.end() ? "" : found->second;
  }
  [[noreturn]] static void Hang() {
    for (;;) pause();
  }

  const StartArguments arguments_;
  LeaseToken lease_;
};

inline KindTable IsolatedKinds() {
  KindTable kinds;
  const absl::Status status = kinds.Add({.path = *Path::Parse("test/worker"),
                                         .factory =
                                             [](const StartArguments& arguments) {
                                               return absl::StatusOr<std::unique_ptr<Actor>>(
                                                   std::make_unique<Worker>(arguments));
                                             },
                                         .placement = Placement::Spread().Isolated()});
  if (!status.ok()) std::abort();
  return kinds;
}

// Settings: host, the one member that there is to reach, which serves the directory, and its token;
// without, the worker reaches nobody. error: why there can't be a client.
inline absl::StatusOr<IsolatedClient> IsolatedClientOf(const IsolatedClientArguments& arguments) {
  const IsolatedSettings& settings = arguments.settings;
  if (const auto error = settings.find("error"); error != settings.end()) {
    return absl::PermissionDeniedError(error->second);
  }
  IsolatedClient client;
  if (settings.empty()) return client;
  const std::string host = settings.at("host");
  client.manager.token = settings.at("token");
  client.manager.log = NullLog();
  client.manager.timeouts.redial_min = std::chrono::milliseconds(10);
  client.manager.timeouts.redial_max = std::chrono::milliseconds(50);
  client.peers = {host};
  client.directory = [host](Manager& manager, const DirectoryOptions& options) {
    return MakeDirectory(options, MakeHostedBackend(manager.Connection(host), *options.io));
  };
  return client;
}

}  // namespace grid::live

#endif  // GRID_TESTS_LIVE_ISOLATED_KINDS_H_
