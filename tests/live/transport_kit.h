// What the transport's live tests share: an I/O thread, a handler that writes down what it is told,
// a listening side that echoes, and a plain blocking socket for bytes that no client of ours would
// send.
#ifndef GRID_TESTS_LIVE_TRANSPORT_KIT_H_
#define GRID_TESTS_LIVE_TRANSPORT_KIT_H_

#include <gtest/gtest.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "grid/transport/beast_network.h"

namespace grid::live {

// Long enough for a loaded machine under a sanitizer; nothing waits that long when it works.
inline constexpr std::chrono::seconds kPatience{20};

class IoThread {
 public:
  IoThread() : work_(io_.get_executor()), thread_([this] { io_.run(); }) {}
  ~IoThread() {
    work_.reset();
    io_.stop();
    thread_.join();
  }
  asio::io_context& io() { return io_; }

  // Runs `body` on the thread and waits for it.
  template <typename Body>
  auto Run(Body body) {
    std::packaged_task<decltype(body())()> task(std::move(body));
    auto result = task.get_future();
    asio::post(io_, [&task] { task(); });
    return result.get();
  }

 private:
  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  std::thread thread_;
};

// One end of a connection. Made, used and destroyed by the test's thread; the transport stays on
// its own.
class Endpoint final : public TransportHandler {
 public:
  explicit Endpoint(IoThread& thread, bool echo = false) : thread_(thread), echo_(echo) {}
  ~Endpoint() override { Destroy(); }

  // On the I/O thread.
  void Adopt(std::unique_ptr<Transport> transport) {
    transport_ = std::move(transport);
    inside_ = true;
    transport_->Start(this);
    inside_ = false;
  }
  void Destroy() {
    thread_.Run([this] { transport_ = nullptr; });
  }

  void Send(std::string message) {
    thread_.Run([this, &message] { Queue(std::move(message)); });
  }
  void Close(CloseCode code, std::string_view reason) {
    thread_.Run([this, code, reason] {
      inside_ = true;
      transport_->Close(code, reason);
      inside_ = false;
      closing_ = true;
    });
  }
  uint64_t progress() {
    return thread_.Run([this] { return transport_->write_progress(); });
  }
  Transport& transport() { return *transport_; }
  IoThread& thread() const { return thread_; }

  std::string NextMessage() {
    std::unique_lock<std::mutex> lock(mutex_);
    if (!changed_.wait_for(lock, kPatience, [this] { return !messages_.empty(); })) {
      ADD_FAILURE() << "no message";
      return "(none)";
    }
    std::string message = std::move(messages_.front());
    messages_.pop_front();
    return message;
  }
  // Cause and detail.
  std::pair<CloseCause, std::string> WaitClosed() {
    std::unique_lock<std::mutex> lock(mutex_);
    if (!changed_.wait_for(lock, kPatience, [this] { return closed_.has_value(); })) {
      ADD_FAILURE() << "not closed";
      return {CloseCause::kIoError, "(not closed)"};
    }
    return *closed_;
  }
  bool closed() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return closed_.has_value();
  }
  int messages_seen() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return seen_;
  }

  // Run inside the callbacks, last; may close or destroy the transport.
  std::function<void()> in_message;
  std::function<void()> in_closed;
  void CloseFromCallback() {
    transport_->Close(CloseCode::kNormal, "");
    closing_ = true;
  }
  void DestroyFromCallback() { transport_ = nullptr; }

  void OnMessage(BytesView message) override {
    Note(message);
    if (in_message) in_message();
  }
  void OnWritten() override {
    Check();
    EXPECT_TRUE(writing_);
    writing_ = false;
    outgoing_.pop_front();
    Pump();
  }
  void OnClosed(CloseCause cause, std::string_view detail) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    Check();
    closed_.emplace(cause, detail);
    changed_.notify_all();
    if (in_closed) in_closed();
  }

 private:
  void Note(BytesView message) {
    const std::lock_guard<std::mutex> lock(mutex_);
    Check();
    EXPECT_FALSE(closing_) << "a message after Close";
    EXPECT_FALSE(IsNil(message));
    ++seen_;
    if (echo_) {
      Queue(std::string(AsText(message)));
    } else {
      messages_.emplace_back(AsText(message));
    }
    changed_.notify_all();
  }
  void Check() {
    EXPECT_FALSE(inside_) << "a callback from inside a call";
    EXPECT_FALSE(closed_.has_value()) << "a callback after OnClosed";
  }
  void Queue(std::string message) {
    outgoing_.push_back(std::move(message));
    Pump();
  }
  void Pump() {
    while (!writing_ && !outgoing_.empty()) {
      std::string& message = outgoing_.front();
      inside_ = true;
      writing_ = !transport_->Write({reinterpret_cast<uint8_t*>(message.data()), message.size()});
      inside_ = false;
      if (!writing_) outgoing_.pop_front();
    }
  }

  IoThread& thread_;
  const bool echo_;
  std::unique_ptr<Transport> transport_;
  bool inside_ = false;
  bool writing_ = false;
  bool closing_ = false;
  std::deque<std::string> outgoing_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> messages_;
  int seen_ = 0;
  std::optional<std::pair<CloseCause, std::string>> closed_;
};

// A network, its I/O threads, and a listener whose connections are Endpoints.
class Node {
 public:
  struct Options {
    TlsOptions tls;
    TransportLimits limits;
    SocketOptions sockets;
    int threads = 1;
  };
  Node() : Node(Options()) {}
  explicit Node(Options options) {
    for (int i = 0; i < options.threads; ++i) threads_.push_back(std::make_unique<IoThread>());
    auto network =
        MakeBeastNetwork(options.tls, options.limits, options.sockets, RealClock(), NullLog());
    EXPECT_TRUE(network.ok()) << network.status();
    network_ = *network;
  }
  ~Node() { Stop(); }

  // Listens on 127.0.0.1; changes to `request` before that by `adjust`.
  template <typename Adjust>
  void Listen(Adjust adjust) {
    ListenRequest request;
    request.address = "127.0.0.1:0";
    request.route = "/minio/grid/v1";
    for (auto& thread : threads_) request.ios.push_back(&thread->io());
    request.gate = gate = std::make_shared<HandshakeGate>(100);
    request.handshake_timeout = kPatience;
    request.check_token = [](std::string_view token) { return token == "secret"; };
    request.on_accept = [this](AcceptedTransport accepted) { OnAccept(std::move(accepted)); };
    request.on_refuse = [this](HttpRefusal kind, std::string_view) {
      const std::lock_guard<std::mutex> lock(mutex_);
      ++refusals_[kind];
      changed_.notify_all();
    };
    adjust(request);
    auto listener = network_->Listen(std::move(request));
    ASSERT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
  }
  void Listen() {
    Listen([](ListenRequest&) {});
  }
  void StopListening() { listener_ = nullptr; }
  uint16_t port() const { return listener_->port(); }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port()); }
  Network& network() { return *network_; }
  IoThread& thread(size_t index = 0) { return *threads_[index]; }

  absl::StatusOr<std::unique_ptr<Endpoint>> Dial(const std::string& host,
                                                 const std::string& token = "secret",
                                                 Duration timeout = kPatience) {
    auto endpoint = std::make_unique<Endpoint>(thread());
    std::promise<absl::Status> done;
    bool inside = true;
    thread().Run([&] {
      network_->Dial({&thread().io(), host, "/minio/grid/v1", token, timeout},
                     [&](DialResult result) {
                       EXPECT_FALSE(inside);
                       const absl::Status status = result.status();
                       if (status.ok()) endpoint->Adopt(*std::move(result));
                       done.set_value(status);
                     });
      inside = false;
    });
    absl::Status status = done.get_future().get();
    if (!status.ok()) return status;
    return endpoint;
  }

  // The connection accepted as number `index`.
  Endpoint& Accepted(size_t index = 0) {
    std::unique_lock<std::mutex> lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, kPatience, [&] { return accepted_.size() > index; }));
    return *accepted_.at(index);
  }
  size_t accepted_count() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return accepted_.size();
  }
  // Waits until `kind` was refused `count` times.
  void WaitRefused(HttpRefusal kind, int count = 1) {
    std::unique_lock<std::mutex> lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, kPatience, [&] { return refusals_[kind] >= count; }));
    EXPECT_EQ(refusals_[kind], count);
  }

  void Stop() {
    listener_ = nullptr;
    // What the listener has posted is done after this.
    for (auto& thread : threads_) thread->Run([] {});
    for (auto& thread : threads_) thread->Run([] {});
    std::vector<std::unique_ptr<Endpoint>> accepted;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      accepted.swap(accepted_);
    }
    accepted.clear();
  }

  bool echo = false;  // of connections accepted from now on
  bool keep_admission = false;
  std::shared_ptr<HandshakeGate> gate;

 private:
  void OnAccept(AcceptedTransport accepted) {
    IoThread* thread = nullptr;
    for (auto& candidate : threads_) {
      if (&candidate->io() == accepted.io) thread = candidate.get();
    }
    ASSERT_NE(thread, nullptr);
    auto endpoint = std::make_unique<Endpoint>(*thread, echo);
    endpoint->Adopt(std::move(accepted.transport));
    const std::lock_guard<std::mutex> lock(mutex_);
    if (keep_admission) admissions_.push_back(std::move(accepted.admission));
    accepted_.push_back(std::move(endpoint));
    changed_.notify_all();
  }

  std::vector<std::unique_ptr<IoThread>> threads_;
  std::shared_ptr<Network> network_;
  std::unique_ptr<Listener> listener_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::unique_ptr<Endpoint>> accepted_;
  std::vector<Admission> admissions_;
  std::map<HttpRefusal, int> refusals_;
};

}  // namespace grid::live

#endif  // GRID_TESTS_LIVE_TRANSPORT_KIT_H_
