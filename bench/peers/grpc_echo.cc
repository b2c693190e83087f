// The same closed-loop echo over gRPC, as a baseline: callback API, unary, one channel, no protobuf
// (raw bytes).
//
//   grpc_echo serve 127.0.0.1:9300
//   grpc_echo bench 127.0.0.1:9300 --inflight 256 --size 512 --seconds 5
//
// Prints one line of JSON with the keys of `gridctl bench` that apply.
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

class EchoReactor final : public grpc::ServerGenericBidiReactor {
 public:
  EchoReactor() { StartRead(&message_); }
  void OnReadDone(bool ok) override {
    if (ok) {
      StartWriteAndFinish(&message_, grpc::WriteOptions(), grpc::Status::OK);
    } else {
      Finish(grpc::Status::OK);
    }
  }
  void OnDone() override { delete this; }

 private:
  grpc::ByteBuffer message_;
};

class EchoService final : public grpc::CallbackGenericService {
  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext*) override {
    return new EchoReactor();
  }
};

int Serve(const std::string& address) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  EchoService service;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials());
  builder.RegisterCallbackGenericService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) {
    std::fprintf(stderr, "grpc_echo: can't listen on %s\n", address.c_str());
    return 1;
  }
  std::printf("ready\n");
  std::fflush(stdout);
  int signal = 0;
  sigwait(&signals, &signal);
  server->Shutdown(std::chrono::system_clock::now());
  return 0;
}

struct Result {
  std::atomic<uint64_t> requests{0};
  std::atomic<uint64_t> errors{0};
  std::atomic<int> running{0};
};

// One of the requests in flight: starts itself again until the time is over.
class Caller {
 public:
  Caller(grpc::GenericStub& stub, const grpc::ByteBuffer& payload, Clock::time_point from,
         Clock::time_point until, Result& result)
      : stub_(stub), payload_(payload), from_(from), until_(until), result_(result) {}

  void Start() {
    context_ = std::make_unique<grpc::ClientContext>();
    reply_.Clear();
    begin_ = Clock::now();
    stub_.UnaryCall(context_.get(), "/bench.Echo/Echo", grpc::StubOptions(), &payload_, &reply_,
                    [this](const grpc::Status& status) { Done(status); });
  }
  const std::vector<float>& latencies_us() const { return latencies_us_; }

 private:
  void Done(const grpc::Status& status) {
    const Clock::time_point now = Clock::now();
    if (now >= from_ && now < until_) {
      result_.requests.fetch_add(1, std::memory_order_relaxed);
      if (!status.ok()) result_.errors.fetch_add(1, std::memory_order_relaxed);
      latencies_us_.push_back(std::chrono::duration<float, std::micro>(now - begin_).count());
    }
    if (now < until_ && status.ok()) return Start();
    result_.running.fetch_sub(1);
  }

  grpc::GenericStub& stub_;
  const grpc::ByteBuffer payload_;
  const Clock::time_point from_;
  const Clock::time_point until_;
  Result& result_;
  std::unique_ptr<grpc::ClientContext> context_;
  grpc::ByteBuffer reply_;
  Clock::time_point begin_;
  std::vector<float> latencies_us_;
};

int Bench(const std::string& address, int inflight, int size, int seconds) {
  grpc::GenericStub stub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  const std::string text(static_cast<size_t>(size), 'x');
  const grpc::Slice slice(text);
  const grpc::ByteBuffer payload(&slice, 1);
  const auto from = Clock::now() + std::chrono::milliseconds(500);
  const auto until = from + std::chrono::seconds(seconds);
  Result result;
  result.running = inflight;
  std::vector<std::unique_ptr<Caller>> callers;
  for (int i = 0; i < inflight; ++i) {
    callers.push_back(std::make_unique<Caller>(stub, payload, from, until, result));
    callers.back()->Start();
  }
  while (result.running.load() > 0) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  std::vector<float> all;
  for (const auto& caller : callers) {
    all.insert(all.end(), caller->latencies_us().begin(), caller->latencies_us().end());
  }
  std::sort(all.begin(), all.end());
  const auto at = [&](double q) {
    return all.empty() ? 0.0F : all[static_cast<size_t>(q * static_cast<double>(all.size() - 1))];
  };
  std::printf(
      "{\"requests\":%llu,\"seconds\":%d,\"rps\":%.0f,\"p50_us\":%.1f,\"p90_us\":%.1f,\"p99_us\":%."
      "1f,"
      "\"errors\":%llu}\n",
      static_cast<unsigned long long>(result.requests.load()), seconds,
      static_cast<double>(result.requests.load()) / seconds, at(0.5), at(0.9), at(0.99),
      static_cast<unsigned long long>(result.errors.load()));
  return result.errors.load() == 0 && result.requests.load() > 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"A closed-loop echo over gRPC, to compare with."};
  app.require_subcommand(1);
  std::string address;
  int inflight = 256;
  int size = 512;
  int seconds = 5;
  CLI::App* serve = app.add_subcommand("serve", "answer until SIGTERM");
  serve->add_option("ADDRESS", address, "where to listen, host:port")->required();
  CLI::App* bench = app.add_subcommand("bench", "measure; prints JSON");
  bench->add_option("ADDRESS", address, "the server, host:port")->required();
  bench->add_option("--inflight", inflight, "requests in flight")->check(CLI::Range(1, 100000));
  bench->add_option("--size", size, "payload bytes")->check(CLI::Range(0, 4 << 20));
  bench->add_option("--seconds", seconds, "measured time, after 0.5 s of warming up")
      ->check(CLI::Range(1, 600));
  CLI11_PARSE(app, argc, argv);
  return serve->parsed() ? Serve(address) : Bench(address, inflight, size, seconds);
}
