// The recorded session of tests/vectors/session.json, played again: what our session sends in
// either role is what was recorded there, byte for byte; in the caller's role with our own mux ids,
// which begin at a random point.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "serialization/control_payloads.h"
#include "tests/unit/mux/session_fixture.h"

namespace grid {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)
using test::CallProbe;
using test::FromHex;
using test::SentMessage;
using test::StreamProbe;
using test::TestHost;
using test::Text;
using test::ToHex;

struct Frame {
  bool from_dialer = false;
  std::string bytes;
};

// The binary frames after the handshake.
std::vector<Frame> RecordedFrames() {
  const boost::json::value file = test::ReadVectorFile("session.json");
  std::vector<Frame> frames;
  for (const boost::json::value& entry : file.at("frames").as_array()) {
    const Frame frame{Text(entry.at("dir")) == "c2s", FromHex(Text(entry.at("payload_hex")))};
    const Op op = test::Unmerge(AsBytes(frame.bytes)).front().op;
    if (op != Op::kConnect && op != Op::kConnectResponse) frames.push_back(frame);
  }
  return frames;
}

// Hex, so that a failure can be read.
std::vector<std::string> Hex(const std::vector<SentMessage>& messages) {
  std::vector<std::string> hex;
  for (const SentMessage& message : messages) hex.push_back(ToHex(message.bytes));
  return hex;
}

class SessionVectors : public test::WireTest {
 protected:
  // `message` with another mux id, as its sender would have written it.
  static std::string WithMuxId(const SentMessage& message, uint64_t mux_id) {
    Message decoded;
    EXPECT_EQ(DecodeMessage(AsBytes(message.bytes), &decoded), DecodeError::kOk);
    // Unchanged, our encoder writes what was recorded.
    EXPECT_EQ(ToHex(test::Encoded(decoded)), ToHex(message.bytes));
    decoded.mux_id = mux_id;
    return test::Encoded(decoded);
  }

  const std::vector<Frame> frames_ = RecordedFrames();
};

TEST_F(SessionVectors, TheRecordingIsThere) { EXPECT_EQ(frames_.size(), 16u); }

TEST_F(SessionVectors, DialersRole_SendsWhatWasRecorded) {
  // The steps that the recording names: a request, then a stream of three messages, each after the
  // last's echo.
  CallProbe call;
  StreamProbe stream;
  StreamMux* mux = nullptr;
  std::map<uint64_t, uint64_t> ours;  // by recorded mux id
  int sent_messages = 0;
  const auto step = [&](const SentMessage& recorded) {
    switch (recorded.op) {
      case Op::kRequest:
        ours[recorded.mux_id] = *end_->Call(&call, "hello", 60s);
        break;
      case Op::kConnectMux:
        mux = *end_->Open(&stream, test::kStreamOne);
        ours[recorded.mux_id] = mux->id;
        break;
      case Op::kMuxClientMsg:
        if (recorded.Has(kFlagEof)) {
          session().CloseSend(mux);
        } else {
          EXPECT_EQ(session().Send(mux, AsBytes("m" + std::to_string(sent_messages++))),
                    Session::SendResult::kSent);
        }
        break;
      case Op::kUnblockSrvMux:
        break;  // the answer to what was just read
      default:
        ADD_FAILURE() << "a step that this test does not know: " << OpName(recorded.op);
    }
  };
  stream.on_data = [&] { session().Consumed(mux, 1, 1, now_); };

  std::vector<std::string> expected;
  std::vector<SentMessage> sent;
  for (const Frame& frame : frames_) {
    for (const SentMessage& recorded : test::Unmerge(AsBytes(frame.bytes))) {
      if (frame.from_dialer) {
        step(recorded);
        expected.push_back(ToHex(WithMuxId(recorded, ours.at(recorded.mux_id))));
      } else {
        ReceiveBytes(WithMuxId(recorded, ours.at(recorded.mux_id)));
      }
      for (SentMessage& message : Sent()) sent.push_back(std::move(message));
    }
  }
  EXPECT_EQ(Hex(sent), expected);
  EXPECT_EQ(call.reply, "hello");
  EXPECT_EQ(stream.data, (std::vector<std::string>{"m0", "m1", "m2"}));
  EXPECT_EQ(stream.ends, 1);
  EXPECT_TRUE(stream.end.ok());
  EXPECT_TRUE(session().Idle());
  EXPECT_EQ(end_->DroppedInAll(), 0u);
}

TEST_F(SessionVectors, AcceptorsRole_AnswersWhatWasRecorded) {
  // As the recorded handlers do: the request is echoed, and so is each message of the stream.
  host().on_stream = [&](TestHost::Served& served) {
    EXPECT_EQ(served.initial, "init");
    served.probe.on_data = [&] {
      session().Consumed(served.mux, 1, 1, now_);
      EXPECT_EQ(session().Send(served.mux, AsBytes(served.probe.data.back())),
                Session::SendResult::kSent);
    };
    served.probe.on_eof = [&] { session().Finish(served.mux, absl::OkStatus()); };
  };
  std::vector<SentMessage> expected;
  std::vector<SentMessage> sent;
  for (const Frame& frame : frames_) {
    if (frame.from_dialer) {
      ReceiveBytes(frame.bytes);
      for (SentMessage& message : Sent()) sent.push_back(std::move(message));
    } else {
      // How they were grouped may differ.
      for (SentMessage& message : test::Unmerge(AsBytes(frame.bytes))) {
        expected.push_back(std::move(message));
      }
    }
  }
  EXPECT_EQ(Hex(sent), Hex(expected));
  EXPECT_TRUE(session().Idle());
  EXPECT_EQ(end_->DroppedInAll(), 0u);
}

TEST_F(SessionVectors, MessagesBehindOneRead_GoOutMergedAsRecorded) {
  // In the recording the answer to the second stream message, credit and echo, is one Merged.
  host().on_stream = [&](TestHost::Served& served) {
    served.probe.on_data = [&] {
      session().Consumed(served.mux, 1, 1, now_);
      EXPECT_EQ(session().Send(served.mux, AsBytes(served.probe.data.back())),
                Session::SendResult::kSent);
    };
  };
  std::vector<std::string> expected;
  std::vector<std::string> sent;
  for (const Frame& frame : frames_) {
    if (frame.from_dialer) {
      ReceiveBytes(frame.bytes);
      for (const std::string& message : end_->TakeOutput()) sent.push_back(ToHex(message));
    } else if (test::Unmerge(AsBytes(frame.bytes)).size() > 1) {
      expected.push_back(ToHex(frame.bytes));
    }
  }
  ASSERT_EQ(expected.size(), 3u);
  // The third is the end of the stream, which this host leaves open.
  for (int i = 0; i < 2; ++i) {
    EXPECT_NE(std::find(sent.begin(), sent.end(), expected[i]), sent.end()) << expected[i];
  }
}

}  // namespace
}  // namespace grid
