#include "handlers/handler_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace grid {
namespace {

using testing::HasSubstr;

SingleFunction Nothing() {
  return [](BytesView, RequestContext&) -> absl::StatusOr<Buffer> { return Buffer(); };
}
StreamFunction NoStream() {
  return [](Stream&, RequestContext&) { return absl::OkStatus(); };
}

TEST(HandlerTable, FindsPlainHandlersById) {
  HandlerTable table;
  ASSERT_TRUE(
      table.RegisterSingle({.id = HandlerId{9}, .run_on = RunOn::kIoThread}, Nothing()).ok());
  ASSERT_TRUE(
      table.RegisterStream({.id = HandlerId{255}, .in_capacity = 3, .out_capacity = 4}, NoStream())
          .ok());
  const HandlerEntry* single = table.Find(9, nullptr);
  ASSERT_NE(single, nullptr);
  EXPECT_EQ(single->id, HandlerId{9});
  EXPECT_EQ(single->run_on, RunOn::kIoThread);
  EXPECT_FALSE(single->is_stream());
  const HandlerEntry* stream = table.Find(255, nullptr);
  ASSERT_NE(stream, nullptr);
  EXPECT_TRUE(stream->is_stream());
  EXPECT_EQ(stream->in_capacity, 3u);
  EXPECT_EQ(stream->out_capacity, 4u);
  EXPECT_EQ(table.Find(10, nullptr), nullptr);
  EXPECT_EQ(table.Find(0, nullptr), nullptr);
}

TEST(HandlerTable, SubrouteAloneDecides) {
  HandlerTable table;
  ASSERT_TRUE(table.RegisterSingle({.id = HandlerId{2}, .subroute = "sub/route"}, Nothing()).ok());
  const SubrouteId id = MakeSubrouteId("sub/route", 2);
  const HandlerEntry* found = table.Find(2, id.bytes.data());
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->subroute, "sub/route");
  // The 32 bytes choose, whatever the message's handler field says.
  EXPECT_EQ(table.Find(77, id.bytes.data()), found);
  EXPECT_EQ(table.Find(2, nullptr), nullptr);
  EXPECT_EQ(table.Find(2, MakeSubrouteId("other", 2).bytes.data()), nullptr);
  EXPECT_EQ(table.Find(2, MakeSubrouteId("sub/route", 3).bytes.data()), nullptr);
}

TEST(HandlerTable, SameIdOnAnotherSubrouteIsAnotherHandler) {
  HandlerTable table;
  EXPECT_TRUE(table.RegisterSingle({.id = HandlerId{2}}, Nothing()).ok());
  EXPECT_TRUE(table.RegisterSingle({.id = HandlerId{2}, .subroute = "a"}, Nothing()).ok());
  EXPECT_TRUE(table.RegisterSingle({.id = HandlerId{2}, .subroute = "b"}, Nothing()).ok());
  EXPECT_NE(table.Find(2, MakeSubrouteId("a", 2).bytes.data()),
            table.Find(2, MakeSubrouteId("b", 2).bytes.data()));
}

TEST(HandlerTable, IdsAbove255_AreFoundByAllTheirBits) {
  HandlerTable table;
  for (const int id : {1, 256, 257, 300, 65535}) {
    EXPECT_EQ(table.Find(static_cast<uint16_t>(id), nullptr), nullptr);
    ASSERT_TRUE(table.RegisterSingle({.id = HandlerId{id}}, Nothing()).ok());
    ASSERT_TRUE(table.RegisterSingle({.id = HandlerId{id}, .subroute = "s"}, Nothing()).ok());
  }
  for (const int id : {1, 256, 257, 300, 65535}) {
    const HandlerEntry* found = table.Find(static_cast<uint16_t>(id), nullptr);
    ASSERT_NE(found, nullptr) << id;
    EXPECT_EQ(found->id, HandlerId{id});
    const SubrouteId subroute = MakeSubrouteId("s", static_cast<uint16_t>(id));
    found = table.Find(0, subroute.bytes.data());
    ASSERT_NE(found, nullptr) << id;
    EXPECT_EQ(found->id, HandlerId{id});
    EXPECT_EQ(found->subroute, "s");
  }
  for (const int id : {2, 44, 255, 258, 512, 65534}) {
    EXPECT_EQ(table.Find(static_cast<uint16_t>(id), nullptr), nullptr) << id;
  }
  EXPECT_EQ(table.RegisterSingle({.id = HandlerId{300}}, Nothing()).code(),
            absl::StatusCode::kAlreadyExists);
}

TEST(HandlerTable, DuplicateIsRefusedByNameAndTheFirstStays) {
  HandlerTable table;
  ASSERT_TRUE(table.RegisterSingle({.id = HandlerId{7}}, Nothing()).ok());
  ASSERT_TRUE(table.RegisterStream({.id = HandlerId{7}, .subroute = "x/y"}, NoStream()).ok());
  const HandlerEntry* first = table.Find(7, nullptr);
  const absl::Status plain = table.RegisterStream({.id = HandlerId{7}}, NoStream());
  EXPECT_EQ(plain.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(plain.message()), HasSubstr("handler 7"));
  EXPECT_EQ(table.Find(7, nullptr), first);
  const absl::Status routed =
      table.RegisterSingle({.id = HandlerId{7}, .subroute = "x/y"}, Nothing());
  EXPECT_EQ(routed.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(routed.message()), HasSubstr("handler 7 on subroute \"x/y\""));
}

TEST(HandlerTable, BadRegistrationsNameWhatIsWrong) {
  HandlerTable table;
  for (const int id : {0, -1, 65536, 1 << 20}) {
    const absl::Status status = table.RegisterSingle({.id = HandlerId{id}}, Nothing());
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << id;
    EXPECT_THAT(std::string(status.message()), HasSubstr("1 to 65535"));
  }
  const absl::Status empty = table.RegisterSingle({.id = HandlerId{5}}, SingleFunction());
  EXPECT_EQ(empty.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(empty.message()), HasSubstr("handler 5: the function is empty"));
  const absl::Status capacity =
      table.RegisterStream({.id = HandlerId{5}, .subroute = "s", .out_capacity = 0}, NoStream());
  EXPECT_EQ(capacity.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(capacity.message()), HasSubstr("out_capacity"));
  const std::string longest(Registrar::kMaxSubroute, 's');
  EXPECT_TRUE(table.RegisterSingle({.id = HandlerId{5}, .subroute = longest}, Nothing()).ok());
  EXPECT_EQ(table.RegisterSingle({.id = HandlerId{5}, .subroute = longest + "s"}, Nothing()).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(table.Find(5, nullptr), nullptr);
}

TEST(HandlerTable, CoroutinesAndStartersRunOnTheIoThreadStreamFunctionsOnWorkers) {
  HandlerTable table;
  ASSERT_TRUE(table
                  .RegisterSingle(
                      {.id = HandlerId{1}},
                      SingleCoroutine(
                          [](Buffer b, RequestContext&) -> asio::awaitable<absl::StatusOr<Buffer>> {
                            co_return std::move(b);
                          }))
                  .ok());
  ASSERT_TRUE(
      table.RegisterStream({.id = HandlerId{2}}, StreamStarter([](Stream, RequestContext&) {}))
          .ok());
  ASSERT_TRUE(table.RegisterStream({.id = HandlerId{3}}, NoStream()).ok());
  EXPECT_EQ(table.Find(1, nullptr)->run_on, RunOn::kIoThread);
  EXPECT_FALSE(table.Find(1, nullptr)->is_stream());
  EXPECT_EQ(table.Find(2, nullptr)->run_on, RunOn::kIoThread);
  EXPECT_EQ(table.Find(3, nullptr)->run_on, RunOn::kWorkerPool);
}

}  // namespace
}  // namespace grid
