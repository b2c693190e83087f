// gridctl bench: a closed loop over one connection; prints JSON.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "grid/transport/url.h"
#include "tools/common/process_cpu.h"
#include "tools/gridctl/bench_loop.h"
#include "tools/gridctl/client.h"
#include "tools/gridctl/command.h"
#include "tools/gridctl/output.h"

namespace grid::tools {
namespace {

namespace asio = boost::asio;
using Clock = BenchLoop::Clock;
using std::chrono::milliseconds;

constexpr std::chrono::seconds kConnectTimeout{10};
// For what is in flight when the time is up.
constexpr std::chrono::seconds kFinish{15};

struct BenchFlags {
  ClientFlags client;
  std::string mode = "echo";
  int handler = 0;  // 0: the mode's
  int inflight = 1;
  size_t size = 512;
  uint32_t capacity = 16;
  std::string duration;
  std::string warm_up;
  bool json = false;
};

std::unique_ptr<BenchLoop> MakeLoop(asio::io_context& io, Connection peer,
                                    const BenchFlags& flags) {
  const auto handler = [&](int usual) {
    return HandlerId{flags.handler != 0 ? flags.handler : usual};
  };
  BenchOptions options{.inflight = flags.inflight, .size = flags.size, .capacity = flags.capacity};
  if (flags.mode == "stream") {
    options.handler = handler(4);
    return MakeStreamLoop(std::move(peer), options);
  }
  if (flags.mode == "oneway") {
    options.handler = handler(9);
    return MakeOneWayLoop(std::move(peer), options);
  }
  options.handler = handler(78);
  return MakeEchoLoop(io, std::move(peer), options);
}

// Processor time at one moment.
struct CpuTimes {
  double client = 0;
  std::optional<double> server;
};
CpuTimes ReadCpu(std::optional<pid_t> server) {
  return {.client = OwnCpuSeconds(),
          .server = server.has_value() ? CpuSecondsOf(*server) : std::nullopt};
}

std::optional<pid_t> LocalServer(const std::string& remote) {
  const absl::StatusOr<HostUrl> url = ParseHostUrl(remote);
  if (!url.ok() ||
      (url->host != "localhost" && url->host != "::1" && url->host.substr(0, 4) != "127.")) {
    return std::nullopt;
  }
  return FindListener(url->port);
}

// By hand, because Boost.JSON writes every fraction with an exponent.
std::string Report(const BenchCounts& counts, double seconds, const CpuTimes& before,
                   const CpuTimes& after) {
  const auto micros = [](std::chrono::nanoseconds ns) {
    return absl::StrFormat("%.1f", static_cast<double>(ns.count()) / 1e3);
  };
  const bool server = before.server.has_value() && after.server.has_value();
  const auto& latency = counts.latency;
  return absl::StrCat(
      "{\"requests\": ", counts.requests, ", \"seconds\": ", absl::StrFormat("%.3f", seconds),
      ", \"rps\": ", absl::StrFormat("%.1f", static_cast<double>(counts.requests) / seconds),
      ", \"p50_us\": ", micros(latency.Percentile(50)),
      ", \"p90_us\": ", micros(latency.Percentile(90)),
      ", \"p99_us\": ", micros(latency.Percentile(99)),
      ", \"p999_us\": ", micros(latency.Percentile(99.9)), ", \"max_us\": ", micros(latency.max()),
      ", \"errors\": ", counts.errors,
      ", \"bytes_per_s\": ", absl::StrFormat("%.0f", static_cast<double>(counts.bytes) / seconds),
      ", \"client_cpu_s\": ", absl::StrFormat("%.3f", after.client - before.client),
      ", \"server_cpu_s\": ",
      server ? absl::StrFormat("%.3f", *after.server - *before.server) : "null", "}\n");
}

int Measure(asio::io_context& io, Connection peer, const BenchFlags& flags) {
  const std::optional<pid_t> server = LocalServer(flags.client.remote);
  std::unique_ptr<BenchLoop> loop = MakeLoop(io, std::move(peer), flags);
  auto done = std::make_shared<std::promise<void>>();
  std::future<void> finished = done->get_future();

  const Clock::time_point begin = Clock::now() + DurationOr(flags.warm_up, milliseconds(500));
  const Clock::time_point end = begin + DurationOr(flags.duration, milliseconds(5000));
  asio::post(io, [&loop, begin, end, done] {
    loop->Start({.begin = begin, .end = end}, [done] { done->set_value(); });
  });
  std::this_thread::sleep_until(begin);
  const CpuTimes before = ReadCpu(server);
  std::this_thread::sleep_until(end);
  const CpuTimes after = ReadCpu(server);
  if (finished.wait_for(kFinish) != std::future_status::ready) {
    // What is still in flight refers to the loop: it has to stay.
    (void)loop.release();
    return Fail(absl::DeadlineExceededError("some requests were never answered"));
  }

  const BenchCounts& counts = loop->counts();
  const double seconds = std::chrono::duration<double>(end - begin).count();
  const std::string report = Report(counts, seconds, before, after);
  if (!Print(AsBytes(std::string_view(report)))) {
    return Fail(absl::UnavailableError("can't write to standard output"));
  }
  if (counts.errors == 0) return 0;
  return Fail(absl::UnknownError(
      absl::StrCat(counts.errors, " errors, the first: ", counts.first_error.message())));
}

int RunBench(const BenchFlags& flags) {
  // The loop runs where its connection lives, so that nothing is handed between threads.
  asio::io_context io(1);
  auto guard = asio::make_work_guard(io);
  std::thread thread([&io] { io.run(); });
  // Behind the client, which needs the thread until it is gone.
  const absl::Cleanup join = [&] {
    guard.reset();
    io.stop();
    thread.join();
  };
  auto client =
      Client::Connect(flags.client, DurationOr(flags.client.timeout_text, kConnectTimeout), {&io});
  if (!client.ok()) return Fail(client.status());
  return Measure(io, (*client)->peer(), flags);
}

}  // namespace

void AddBench(CLI::App& app, Command* chosen) {
  CLI::App* command = app.add_subcommand("bench", "a closed loop over one connection; prints JSON");
  command->footer(
      "Modes: echo, single requests; stream, two-way streams; oneway, streams that the peer fills\n"
      "(--size is without effect; the latencies are times between messages). bytes_per_s counts\n"
      "payload in both directions. server_cpu_s is null unless the remote runs on this machine.");
  auto flags = std::make_shared<BenchFlags>();
  AddClientFlags(*command, &flags->client);
  command->add_option("--mode", flags->mode, "echo, stream or oneway")
      ->check(CLI::IsMember({"echo", "stream", "oneway"}))
      ->capture_default_str();
  command
      ->add_option("--handler", flags->handler, "id of the handler; otherwise 78, 4 or 9 by mode")
      ->check(CLI::Range(1, HandlerId::kMax));
  command->add_option("--inflight", flags->inflight, "requests or messages in flight")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  command->add_option("--size", flags->size, "bytes of payload")
      ->check(CLI::Range(size_t{0}, size_t{32} << 20))
      ->capture_default_str();
  command->add_option("--capacity", flags->capacity, "capacity of a stream's handler, both ways")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  AddDurationOption(*command, "--duration", &flags->duration, "measured time, as 5s (the default)");
  AddDurationOption(*command, "--warm-up", &flags->warm_up,
                    "time before it, as 500ms (the default)");
  command->add_flag("--json", flags->json, "the default, and the only form");
  command->callback([=] { *chosen = [flags] { return RunBench(*flags); }; });
}

}  // namespace grid::tools
