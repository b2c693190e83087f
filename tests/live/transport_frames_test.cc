// Frames that break RFC 6455 or our rules, closing against peers that do not take part, and memory.

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <string>

#include "tests/live/raw_socket.h"
#include "tests/live/transport_kit.h"

namespace grid::live {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

// Bytes of address space in use.
size_t AddressSpace() {
  size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * 4096;
}

Node::Options Limit(size_t max_message_bytes) {
  Node::Options options;
  options.limits.max_message_bytes = max_message_bytes;
  options.limits.close_timeout = milliseconds(300);
  return options;
}

// A raw client, upgraded.
RawSocket Connect(Node& node) {
  RawSocket socket(node.port());
  socket.Send(UpgradeRequest());
  EXPECT_TRUE(socket.ReadUntil("\r\n\r\n").starts_with("HTTP/1.1 101 "));
  return socket;
}

struct ViolationCase {
  const char* name;
  std::string bytes;
  uint16_t code;
  CloseCause cause;
};

class Violations : public testing::TestWithParam<ViolationCase> {};

TEST_P(Violations, EndTheConnectionWithACloseCode) {
  Node node(Limit(1000));
  node.Listen();
  RawSocket socket = Connect(node);
  socket.Send(GetParam().bytes);
  const std::string frame = socket.Read(4);
  ASSERT_EQ(frame.size(), 4u);
  EXPECT_EQ(static_cast<uint8_t>(frame[0]), 0x88);
  EXPECT_EQ(static_cast<uint8_t>(frame[2]) << 8 | static_cast<uint8_t>(frame[3]), GetParam().code);
  const auto [cause, detail] = node.Accepted().WaitClosed();
  EXPECT_EQ(cause, GetParam().cause) << detail;
  EXPECT_NE(detail, "");
  EXPECT_EQ(node.Accepted().messages_seen(), 0);
}

INSTANTIATE_TEST_SUITE_P(
    , Violations,
    testing::Values(
        ViolationCase{"Text", Frame(0x81, "hello", true), 1003, CloseCause::kTextFrame},
        ViolationCase{"EmptyText", Frame(0x81, "", true), 1003, CloseCause::kTextFrame},
        ViolationCase{"TextFragment", Frame(0x01, "hello", true), 1003, CloseCause::kTextFrame},
        ViolationCase{"TextNotUtf8", Frame(0x81, "\xff\xff", true), 1003, CloseCause::kTextFrame},
        ViolationCase{"Unmasked", Frame(0x82, "hello", false), 1002, CloseCause::kBadFrame},
        ViolationCase{"ReservedBit1", Frame(0xC2, "hello", true), 1002, CloseCause::kBadFrame},
        ViolationCase{"ReservedBit2", Frame(0xA2, "hello", true), 1002, CloseCause::kBadFrame},
        ViolationCase{"ReservedBit3", Frame(0x92, "hello", true), 1002, CloseCause::kBadFrame},
        ViolationCase{"ReservedOpcode3", Frame(0x83, "hello", true), 1002, CloseCause::kBadFrame},
        ViolationCase{"ReservedOpcodeB", Frame(0x8B, "hello", true), 1002, CloseCause::kBadFrame},
        ViolationCase{"ContinuationOfNothing", Frame(0x80, "x", true), 1002, CloseCause::kBadFrame},
        ViolationCase{"NewMessageInsideAnother", Frame(0x02, "x", true) + Frame(0x82, "y", true),
                      1002, CloseCause::kBadFrame},
        ViolationCase{"FragmentedPing", Frame(0x09, "x", true), 1002, CloseCause::kBadFrame},
        ViolationCase{"LongPing", Frame(0x89, std::string(126, 'x'), true), 1002,
                      CloseCause::kBadFrame},
        ViolationCase{"CloseOfOneByte", Frame(0x88, "x", true), 1002, CloseCause::kBadFrame},
        ViolationCase{"CloseWithReservedCode", CloseFrame(1005, "", true), 1002,
                      CloseCause::kBadFrame},
        ViolationCase{"TooBig", Frame(0x82, std::string(1001, 'x'), true), 1009,
                      CloseCause::kMessageTooBig},
        ViolationCase{"TooBigAnnounced", Frame(0x82, "", true, uint64_t{1} << 40), 1009,
                      CloseCause::kMessageTooBig},
        ViolationCase{"TooBigInFragments",
                      Frame(0x02, std::string(600, 'x'), true) + Frame(0x00, "", true) +
                          Frame(0x80, std::string(401, 'x'), true),
                      1009, CloseCause::kMessageTooBig}),
    [](const auto& info) { return info.param.name; });

TEST(Frames, MessageOfExactlyTheLimit_FragmentsIncluded_Arrives) {
  Node node(Limit(1000));
  node.Listen();
  RawSocket socket = Connect(node);
  socket.Send(Frame(0x82, std::string(1000, 'a'), true));
  socket.Send(Frame(0x02, std::string(600, 'b'), true) + Frame(0x00, "", true) +
              Frame(0x89, "in between", true) + Frame(0x80, std::string(400, 'b'), true));
  EXPECT_EQ(node.Accepted().NextMessage(), std::string(1000, 'a'));
  EXPECT_EQ(node.Accepted().NextMessage(), std::string(1000, 'b'));
  EXPECT_EQ(socket.Read(12), Frame(0x8A, "in between", false));
}

TEST(Frames, Ping_IsAnswered) {
  Node node;
  node.Listen();
  RawSocket socket = Connect(node);
  socket.Send(Frame(0x89, "are you there", true) + Frame(0x8A, "unasked pong", true) +
              Frame(0x82, "data", true));
  EXPECT_EQ(socket.Read(15), Frame(0x8A, "are you there", false));
  EXPECT_EQ(node.Accepted().NextMessage(), "data");
}

TEST(Frames, PeersClose_IsAnsweredAndReported) {
  Node node;
  node.Listen();
  RawSocket socket = Connect(node);
  socket.Send(CloseFrame(1001, "bye", true));
  const auto [cause, detail] = node.Accepted().WaitClosed();
  EXPECT_EQ(cause, CloseCause::kPeerClosed);
  EXPECT_EQ(detail, "close frame 1001: bye");
  EXPECT_TRUE(socket.ReadAll().starts_with("\x88"));
}

TEST(Frames, EndOfFile_IsReported) {
  Node node;
  node.Listen();
  Connect(node).Close();
  EXPECT_EQ(node.Accepted().WaitClosed().first, CloseCause::kPeerClosed);
}

TEST(Frames, MaskedFrameFromAServer_EndsTheConnection) {
  Node node;
  RawServer server;
  // The server's answer has to fit the client's random key; another listener of ours makes it.
  Node real;
  real.Listen();
  std::thread relay([&] {
    RawSocket client = server.Accept();
    RawSocket upstream(real.port());
    upstream.Send(client.ReadUntil("\r\n\r\n"));
    client.Send(upstream.ReadUntil("\r\n\r\n"));
    client.Send(Frame(0x82, "masked", true));
    client.ReadAll();
  });
  auto endpoint = node.Dial(server.url());
  ASSERT_TRUE(endpoint.ok()) << endpoint.status();
  EXPECT_EQ((*endpoint)->WaitClosed().first, CloseCause::kBadFrame);
  relay.join();
}

TEST(Dial, AnswerWithSomethingNotAskedFor_IsRefused) {
  for (const std::string field : {"Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Extensions: x"}) {
    Node node;
    RawServer server;
    Node real;
    real.Listen();
    std::thread relay([&] {
      RawSocket client = server.Accept();
      RawSocket upstream(real.port());
      upstream.Send(client.ReadUntil("\r\n\r\n"));
      std::string answer = upstream.ReadUntil("\r\n\r\n");
      answer.insert(answer.size() - 2, field + "\r\n");
      client.Send(answer);
      EXPECT_EQ(client.ReadAll(), "");
    });
    const absl::Status status = node.Dial(server.url()).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
    EXPECT_NE(status.ToString().find("not asked for"), std::string::npos) << status;
    relay.join();
  }
}

TEST(Closing, PeerThatNeverAnswers_IsCutOffAfterTheBound) {
  Node node(Limit(1000));
  node.Listen();
  RawSocket socket = Connect(node);
  const auto start = steady_clock::now();
  node.Accepted().Close(CloseCode::kGoingAway, std::string(200, 'r'));
  EXPECT_EQ(node.Accepted().WaitClosed().first, CloseCause::kLocalClose);
  EXPECT_GE(steady_clock::now() - start, milliseconds(300));
  EXPECT_LT(steady_clock::now() - start, seconds(10));
  const std::string frame = socket.ReadAll();
  EXPECT_EQ(frame.size(), 2 + 2 + 123u);  // the reason is cut to what fits
}

TEST(Closing, PeerThatKeepsSending_IsCutOffAndNothingDelivered) {
  Node node(Limit(1000));
  node.Listen();
  RawSocket socket = Connect(node);
  node.Accepted().Close(CloseCode::kGoingAway, "");
  while (socket.Send(Frame(0x82, std::string(1000, 'x'), true))) {
  }
  EXPECT_EQ(node.Accepted().WaitClosed().first, CloseCause::kLocalClose);
}

TEST(Closing, PeerThatNeverReads_StopsTheProgressAndIsCutOff) {
  Node::Options options = Limit(32 << 20);
  options.sockets.send_buffer_bytes = 16 << 10;
  Node node(options);
  node.Listen();
  RawSocket socket = Connect(node);
  Endpoint& server = node.Accepted();
  server.Send(std::string(16 << 20, 'x'));
  // Runs until the kernel's buffers are full, then stands still.
  uint64_t before = 0;
  uint64_t now = server.progress();
  do {
    std::this_thread::sleep_for(milliseconds(200));
    before = std::exchange(now, server.progress());
  } while (now != before);
  EXPECT_GT(now, 1u);
  server.Close(CloseCode::kGoingAway, "stalled");
  EXPECT_EQ(server.WaitClosed().first, CloseCause::kLocalClose);
}

TEST(Closing, CloseFrameFromAPeerThatNeverReads_IsCutOff) {
  Node::Options options = Limit(1000);
  options.sockets.send_buffer_bytes = 4 << 10;
  Node node(options);
  node.Listen();
  RawSocket socket = Connect(node);
  // The answer to the close frame has to wait behind a message that never gets through.
  Endpoint& server = node.Accepted();
  server.Send(std::string(16 << 20, 'x'));
  socket.Send(CloseFrame(1000, "", true));
  EXPECT_EQ(server.WaitClosed().first, CloseCause::kPeerClosed);
}

TEST(Closing, DestructionWhileClosing_CallsNothing) {
  Node node(Limit(1000));
  node.Listen();
  RawSocket socket = Connect(node);
  Endpoint& server = node.Accepted();
  server.Close(CloseCode::kNormal, "");
  server.Destroy();
  EXPECT_TRUE(socket.ReadAll().starts_with("\x88"));
  EXPECT_FALSE(server.closed());
}

TEST(Closing, FromInsideOnMessage_DeliversNothingMore) {
  Node node(Limit(1000));
  node.Listen();
  RawSocket socket = Connect(node);
  Endpoint& server = node.Accepted();
  node.thread().Run([&] { server.in_message = [&] { server.CloseFromCallback(); }; });
  socket.Send(Frame(0x82, "one", true) + Frame(0x82, "two", true) + CloseFrame(1000, "", true));
  EXPECT_EQ(server.WaitClosed().first, CloseCause::kLocalClose);
  EXPECT_EQ(server.messages_seen(), 1);
}

TEST(Closing, DestructionFromInsideOnMessage_IsTheEnd) {
  Node node(Limit(1000));
  node.Listen();
  RawSocket socket = Connect(node);
  Endpoint& server = node.Accepted();
  node.thread().Run([&] { server.in_message = [&] { server.DestroyFromCallback(); }; });
  socket.Send(Frame(0x82, "one", true) + Frame(0x82, "two", true));
  EXPECT_EQ(socket.ReadAll(), "");
  EXPECT_EQ(server.messages_seen(), 1);
  EXPECT_FALSE(server.closed());
}

TEST(Closing, DestructionFromInsideOnClosed_IsSafe) {
  for (const bool by_timer : {false, true}) {
    Node node(Limit(1000));
    node.Listen();
    RawSocket socket = Connect(node);
    Endpoint& server = node.Accepted();
    node.thread().Run([&] { server.in_closed = [&] { server.DestroyFromCallback(); }; });
    if (by_timer) {
      server.Close(CloseCode::kNormal, "");
    } else {
      socket.Close();
    }
    server.WaitClosed();
  }
}

TEST(Memory, AnnouncedLengths_AllocateNothing) {
  Node node;  // 32 MiB are allowed
  node.Listen();
  std::vector<RawSocket> sockets;
  for (int i = 0; i < 9; ++i) sockets.push_back(Connect(node));
  node.Accepted(8);
  sockets.back().Send(Frame(0x82, "", true, 1000));
  const size_t before = AddressSpace();
  for (int i = 0; i < 8; ++i) sockets[i].Send(Frame(0x82, "x", true, uint64_t{32} << 20));
  // When the last one's message has come, the others' headers have been read.
  sockets.back().Send(std::string(1000, 'x'));
  EXPECT_EQ(node.Accepted(8).NextMessage().size(), 1000u);
  EXPECT_LT(AddressSpace(), before + (size_t{32} << 20));
}

}  // namespace
}  // namespace grid::live
