// Requests that are answered by callback: at once, later, from a callback of the context's, never.
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>

#include "handlers/single_reply.h"
#include "tests/scenario/scenario.h"

namespace grid {
namespace {

constexpr HandlerId kStarted{115};

class SingleStarterTest : public ScenarioTest {
 protected:
  void SetUp() override {
    testing::ClusterOptions options;
    options.setup = [this](int, Manager& manager) {
      const SingleStarter start = [this](Buffer request, RequestContext& context,
                                         SingleReply reply) {
        Begin(Text(request), context, std::move(reply));
      };
      ASSERT_TRUE(manager.RegisterSingle({.id = kStarted}, start).ok());
    };
    MakeAndStart(options);
  }
  void TearDown() override {
    waiting_.clear();
    ScenarioTest::TearDown();
  }

  static std::string Text(const Buffer& bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  void Begin(const std::string& what, RequestContext& context, SingleReply reply) {
    if (what == "at once") return reply(Buffer::CopyOf(AsBytes("done")));
    if (what == "refuse") return reply(absl::NotFoundError("nothing here"));
    if (what == "throw") throw std::runtime_error("not today");
    if (what == "drop") return;
    waiting_[what] = std::move(reply);
    contexts_[what] = &context;
    if (what == "until cancelled") ReplyWhenCancelled(what);
  }
  void ReplyWhenCancelled(const std::string& what) {
    contexts_[what]->OnCancel([this, what] {
      SingleReply cancelled = std::move(waiting_[what]);
      cancelled(contexts_[what]->cancellation());
    });
  }
  Reply Ask(const std::string& what) { return cluster().Call(0, 1, kStarted, AsBytes(what)); }

  // The same, with the outcome in `reply` and until it is `cancel`led; returns when it has arrived.
  void Ask(const std::string& what, boost::asio::cancellation_signal& cancel, ReplyProbe& reply) {
    cluster().Peer(0, 1).Request(
        kStarted, AsBytes(what), {},
        boost::asio::bind_cancellation_slot(cancel.slot(), reply.Handler()));
    cluster().RunFor(milliseconds(100));
  }

  std::map<std::string, SingleReply> waiting_;
  std::map<std::string, RequestContext*> contexts_;  // of those
};

TEST_F(SingleStarterTest, AnswersAtOnce_AlsoWithAnError) {
  EXPECT_EQ(grid::Text(Ask("at once")), "done");
  EXPECT_EQ(Ask("refuse").status().message(), "nothing here");
  ExpectIdle();
}

TEST_F(SingleStarterTest, AnswersLater_InAnyOrder) {
  ReplyProbe first("first"), second("second");
  cluster().Peer(0, 1).Request(kStarted, AsBytes("a"), {}, first.Handler());
  cluster().Peer(0, 1).Request(kStarted, AsBytes("b"), {}, second.Handler());
  cluster().RunFor(milliseconds(100));
  ASSERT_EQ(waiting_.size(), 2u);
  EXPECT_FALSE(first.done());
  waiting_["b"](Buffer::CopyOf(AsBytes("2")));
  cluster().RunFor(milliseconds(100));
  EXPECT_EQ(grid::Text(second.value()), "2");
  EXPECT_FALSE(first.done());
  waiting_["a"](Buffer::CopyOf(AsBytes("1")));
  cluster().RunFor(milliseconds(100));
  EXPECT_EQ(grid::Text(first.value()), "1");
  ExpectIdle();
}

TEST_F(SingleStarterTest, ADroppedRequestIsAnswered) {
  for (const char* what : {"drop", "throw"}) {
    const Reply reply = Ask(what);
    EXPECT_EQ(reply.status().message(), "the handler has dropped the request") << what;
  }
  ReplyProbe kept("kept");
  cluster().Peer(0, 1).Request(kStarted, AsBytes("kept"), {}, kept.Handler());
  cluster().RunFor(milliseconds(100));
  waiting_.erase("kept");
  cluster().RunFor(milliseconds(100));
  EXPECT_FALSE(kept.value().ok());
  ExpectIdle();
}

TEST_F(SingleStarterTest, AnswersInACallbackOfItsContext) {
  boost::asio::cancellation_signal cancel;
  ReplyProbe reply("reply");
  Ask("until cancelled", cancel, reply);
  ASSERT_TRUE(waiting_["until cancelled"]);
  cancel.emit(boost::asio::cancellation_type::terminal);
  cluster().RunFor(milliseconds(100));
  EXPECT_TRUE(absl::IsCancelled(reply.value().status())) << reply.value().status();
  EXPECT_FALSE(waiting_["until cancelled"]);
  ExpectIdle();
}

TEST_F(SingleStarterTest, AnswersInACallbackThatRunsAtOnce) {
  boost::asio::cancellation_signal cancel;
  ReplyProbe reply("reply");
  Ask("late", cancel, reply);
  cancel.emit(boost::asio::cancellation_type::terminal);
  cluster().RunFor(milliseconds(100));
  ASSERT_TRUE(waiting_["late"]);
  // On the connection's thread, where the answer is given before the callback returns.
  boost::asio::post(cluster().io(), [this] { ReplyWhenCancelled("late"); });
  cluster().RunFor(milliseconds(100));
  EXPECT_FALSE(waiting_["late"]);
  ExpectIdle();
}

TEST_F(SingleStarterTest, AnswersInACallbackThatRunsAtOnce_WhenTheConnectionIsGone) {
  ReplyProbe reply("reply");
  cluster().Peer(0, 1).Request(kStarted, AsBytes("late"), {}, reply.Handler());
  cluster().RunFor(milliseconds(100));
  cluster().Kill(0);
  cluster().RunFor(milliseconds(100));
  ReplyWhenCancelled("late");
  EXPECT_FALSE(waiting_["late"]);
}

TEST_F(SingleStarterTest, AnAnswerBehindTheEndOfTheConnection_GoesNowhere) {
  ReplyProbe reply("reply");
  cluster().Peer(0, 1).Request(kStarted, AsBytes("late"), {}, reply.Handler());
  cluster().RunFor(milliseconds(100));
  cluster().Kill(0);
  cluster().RunFor(milliseconds(100));
  waiting_["late"](Buffer::CopyOf(AsBytes("nobody")));
  cluster().RunFor(milliseconds(100));
  EXPECT_FALSE(reply.value().ok());
}

}  // namespace
}  // namespace grid
