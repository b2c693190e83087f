// What the tests of MemoryNetwork share: two nodes, a recorder of callbacks, and one established
// connection.
#ifndef GRID_TESTS_UNIT_TESTING_MEMORY_NETWORK_FIXTURE_H_
#define GRID_TESTS_UNIT_TESTING_MEMORY_NETWORK_FIXTURE_H_

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grid/testing/memory_network.h"
#include "grid/testing/probe.h"
#include "grid/testing/virtual_clock.h"

namespace grid::testing {

inline constexpr char kNode1[] = "http://node1:9000";
inline constexpr char kNode2[] = "http://node2:9000";

// Keeps every callback of one end; fails when one comes after the end, or from inside a call.
class RecordingHandler final : public TransportHandler {
 public:
  void OnMessage(BytesView message) override {
    Check();
    messages.emplace_back(AsText(message));
    if (on_message) on_message(message);
  }
  void OnWritten() override {
    Check();
    ++written;
    if (on_written) on_written();
  }
  void OnClosed(CloseCause why, std::string_view text) override {
    Check();
    cause = why;
    detail = text;
    if (on_closed) on_closed();
  }

  bool closed() const { return cause.has_value(); }

  std::vector<std::string> messages;
  int written = 0;
  std::optional<CloseCause> cause;
  std::string detail;
  bool inside_call = false;
  std::function<void(BytesView)> on_message;
  std::function<void()> on_written;
  std::function<void()> on_closed;

 private:
  void Check() {
    EXPECT_FALSE(closed()) << "a callback after OnClosed";
    EXPECT_FALSE(inside_call) << "a callback from inside a call";
  }
};

// One end of a connection, and what was heard from it.
struct RecordedEnd {
  std::unique_ptr<Transport> transport;
  RecordingHandler handler;
  std::vector<std::unique_ptr<std::string>> sent;  // bytes stay valid until OnWritten

  void Start() { transport->Start(&handler); }
  void Write(std::string text) {
    sent.push_back(std::make_unique<std::string>(std::move(text)));
    std::string& bytes = *sent.back();
    handler.inside_call = true;
    transport->Write({reinterpret_cast<uint8_t*>(bytes.data()), bytes.size()});
    handler.inside_call = false;
  }
  void Close(CloseCode code, std::string_view reason) {
    handler.inside_call = true;
    transport->Close(code, reason);
    handler.inside_call = false;
  }
};

class MemoryNetworkTest : public ::testing::Test {
 protected:
  MemoryNetworkTest() : MemoryNetworkTest(MemoryNetworkOptions{}) {}
  explicit MemoryNetworkTest(const MemoryNetworkOptions& options)
      : clock_(std::make_shared<VirtualClock>()), network_(clock_, options) {}

  ListenRequest Rules(std::string address = "node2:9000") {
    ListenRequest request;
    request.address = std::move(address);
    request.route = "/grid";
    request.ios = {&io_};
    request.gate = gate_;
    request.handshake_timeout = std::chrono::seconds(10);
    request.check_token = [](std::string_view token) { return token == "secret"; };
    request.on_accept = [this](AcceptedTransport accepted) {
      accepted_.push_back(std::move(accepted));
    };
    request.on_refuse = [this](HttpRefusal why, std::string_view) { refusals_.push_back(why); };
    return request;
  }
  void Listen() {
    auto listener = network_.Host(kNode2)->Listen(Rules());
    ASSERT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
  }

  DialRequest To(std::string host) {
    return {&io_, std::move(host), "/grid", "secret", std::chrono::seconds(2)};
  }
  DialResult Dial(DialRequest request) {
    Probe<DialResult> probe("dial");
    network_.Host(kNode1)->Dial(std::move(request), probe.Handler());
    EXPECT_FALSE(probe.done()) << "completed from inside Dial";
    RunUntil(
        io_, *clock_, [&] { return probe.done(); }, std::chrono::seconds(5));
    if (!probe.done()) return absl::InternalError("never done");
    return std::move(probe.value());
  }

  // Fills dialer_ and acceptor_, both started.
  void Connect() {
    Listen();
    DialResult dialled = Dial(To(kNode2));
    ASSERT_TRUE(dialled.ok()) << dialled.status();
    ASSERT_EQ(accepted_.size(), 1u);
    dialer_.transport = *std::move(dialled);
    acceptor_.transport = std::move(accepted_[0].transport);
    dialer_.Start();
    acceptor_.Start();
  }

  void RunFor(Duration duration) { testing::RunFor(io_, *clock_, duration); }

  const std::shared_ptr<VirtualClock> clock_;
  MemoryNetwork network_;
  asio::io_context io_;
  const std::shared_ptr<HandshakeGate> gate_ = std::make_shared<HandshakeGate>(2);
  std::unique_ptr<Listener> listener_;
  std::vector<AcceptedTransport> accepted_;
  std::vector<HttpRefusal> refusals_;
  RecordedEnd dialer_, acceptor_;
};

}  // namespace grid::testing

#endif  // GRID_TESTS_UNIT_TESTING_MEMORY_NETWORK_FIXTURE_H_
