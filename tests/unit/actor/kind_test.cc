#include "grid/actor/kind.h"

#include <gtest/gtest.h>

#include "grid/actor/start_protocol.h"
#include "handlers/delivery.h"

namespace grid {
namespace {

Kind MakeKind(std::string_view path) {
  return {.path = *Path::Parse(path), .factory = [](const StartArguments&) {
            return absl::StatusOr<std::unique_ptr<Actor>>(absl::UnimplementedError("none"));
          }};
}
Name N(std::string_view text) { return *Name::Parse(text); }

TEST(KindTableTest, TheLongestPathWins_WholeSegments) {
  KindTable table;
  for (const char* path : {"shop/cart", "shop/cart/vip", "shop/car"}) {
    EXPECT_TRUE(table.Add(MakeKind(path)).ok());
  }
  const auto found = [&](std::string_view name) {
    const Kind* const kind = table.Find(N(name));
    return kind == nullptr ? "none" : kind->path.text();
  };
  EXPECT_EQ(found("shop/cart/7"), "shop/cart");
  EXPECT_EQ(found("shop/cart/vip"), "shop/cart") << "below the path, not at it";
  EXPECT_EQ(found("shop/cart/vip/7"), "shop/cart/vip");
  EXPECT_EQ(found("shop/carts/7"), "none");
  EXPECT_EQ(found("shop/car/7/8"), "shop/car");
  EXPECT_EQ(found("other/cart/7"), "none");
  EXPECT_NE(table.Find(*Path::Parse("shop/cart")), nullptr);
  EXPECT_EQ(table.Find(*Path::Parse("shop")), nullptr);
  EXPECT_EQ(table.Paths(), "shop/car,shop/cart,shop/cart/vip");
}

TEST(KindTableTest, BadKindsAreRefused) {
  KindTable table;
  EXPECT_TRUE(table.Add(MakeKind("shop/cart")).ok());
  EXPECT_EQ(table.Add(MakeKind("shop/cart")).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(table.Add(MakeKind("shop")).code(), absl::StatusCode::kInvalidArgument);
  Kind kind = MakeKind("shop/a");
  kind.factory = nullptr;
  EXPECT_EQ(table.Add(kind).message(), "kind shop/a: factory: must be set");
  kind = MakeKind("shop/a");
  kind.placement = Placement::On("");
  EXPECT_FALSE(table.Add(kind).ok());
}

TEST(KindTableTest, ThePathsAreBounded) {
  KindTable table;
  absl::Status status;
  size_t added = 0;
  for (; added < 100 && status.ok(); ++added) {
    status = table.Add(MakeKind("shop/" + std::to_string(added) + std::string(200, 'k')));
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_LT(added, 25u);
  EXPECT_LE(table.Paths().size(), kMaxAttributeValueBytes);
}

TEST(StartParametersTest, HiddenOnesAreNotVisible) {
  const StartParameters parameters = {{"_token", "secret"}, {"size", "3"}, {"a_b", "x"}};
  EXPECT_EQ(VisibleParameters(parameters), (StartParameters{{"a_b", "x"}, {"size", "3"}}));
  EXPECT_TRUE(CheckStartParameters(parameters).ok());
  const absl::Status status = CheckStartParameters({{"k", std::string(5000, 'v')}});
  EXPECT_EQ(status.message(),
            "start parameters: attribute \"k\": the value has more than 4096 bytes");
}

TEST(ActivationTest, CountOrExplicit) {
  EXPECT_EQ(Activation().count(), nullptr);
  EXPECT_EQ(Activation::Explicit().count(), nullptr);
  EXPECT_EQ(Activation::Count(3).count()({}), 3u);
  const auto each =
      Activation::Count([](const MembershipView& view) { return view.members.size(); });
  EXPECT_EQ(each.count()({.number = 1, .members = {{.name = "a"}, {.name = "b"}}}), 2u);
}

TEST(StartProtocolTest, MessagesCarryEverything) {
  const Resources resources = {{"db", Selector::Under(*Path::Parse("shop/db")).Where("v", "1")}};
  const auto back =
      internal::FromMessage(internal::ToMessage(N("a/b/c"), {{"_k", "v"}}, resources));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->name, N("a/b/c"));
  EXPECT_EQ(back->parameters, (StartParameters{{"_k", "v"}}));
  EXPECT_EQ(back->resources, resources);
  EXPECT_FALSE(internal::FromMessage({.name = "a/b"}).ok());
  EXPECT_FALSE(internal::FromMessage({.name = "a/b/c", .parameters = {{"", ""}}}).ok());
  EXPECT_FALSE(internal::FromMessage({.name = "a/b/c", .resources = {{"db", "here"}}}).ok());
  internal::StartMessage many{.name = "a/b/c"};
  for (int i = 0; i < 65; ++i) many.resources[std::to_string(i)] = "names()";
  EXPECT_FALSE(internal::FromMessage(many).ok());
}

TEST(StartProtocolTest, AnswersCarryTheirDeliveryClass) {
  using internal::StartAnswer;
  EXPECT_TRUE(internal::StatusOf(StartAnswer{}, "b").ok());
  EXPECT_TRUE(internal::StatusOf(StartAnswer{.what = StartAnswer::kAlreadyRunning}, "b").ok());
  const absl::Status refused =
      internal::StatusOf(internal::ToAnswer(StartAnswer::kRefused,
                                            absl::PermissionDeniedError("no"), Delivery::kRejected),
                         "http://b");
  EXPECT_EQ(refused.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(refused.message(), "at http://b: no");
  EXPECT_EQ(DeliveryOf(refused), Delivery::kRejected);
  EXPECT_TRUE(IsRemote(refused));
  // What a newer version might say is not taken for an actor that runs.
  EXPECT_FALSE(internal::StatusOf(StartAnswer{.what = 9}, "b").ok());
  EXPECT_EQ(DeliveryOf(internal::StatusOf(StartAnswer{.what = 4, .code = 2, .delivery = 77}, "b")),
            Delivery::kMaybeExecuted);
}

}  // namespace
}  // namespace grid
