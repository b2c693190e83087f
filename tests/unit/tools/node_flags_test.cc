#include "tools/common/node_flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "grid/internal/manager_core.h"
#include "serialization/extensions.h"

namespace grid::tools {
namespace {

using ::testing::HasSubstr;
using Side = internal::ManagerCore::Side;

absl::StatusOr<ManagerOptions> Parse(const std::vector<std::string>& arguments,
                                     bool client = false) {
  NodeFlags flags;
  flags.client = client;
  CLI::App app;
  AddNodeFlags(app, &flags);
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  app.parse(reversed);
  flags.local = "http://127.0.0.1:9001";
  return MakeManagerOptions(flags, NullLog());
}

// What a node with these flags says to one that dials it.
Extensions Offered(const std::vector<std::string>& arguments) {
  const absl::StatusOr<ManagerOptions> options = Parse(arguments);
  EXPECT_TRUE(options.ok()) << options.status();
  const Manager manager(*options);
  return internal::CoreAccess::Of(manager)->extensions(Side::kAcceptor);
}

TEST(NodeFlags, Without_SwitchesOffThatExtensionAlone) {
  const Extensions all = Offered({});
  for (const ExtensionName& feature : kExtensionNames) {
    if (all.*feature.value == 0) continue;  // not offered at all
    Extensions expected = all;
    expected.*feature.value = 0;
    EXPECT_EQ(Offered({"--without", std::string(feature.name)}), expected) << feature.name;
  }
  EXPECT_EQ(Offered({"--without", "all"}), Extensions());
}

TEST(NodeFlags, Without_TakesSeveral) {
  Extensions expected = Offered({});
  expected.meta = 0;
  expected.status = 0;
  EXPECT_EQ(Offered({"--without", "meta,status"}), expected);
  EXPECT_EQ(Offered({"--without", "meta", "--without", "status"}), expected);
}

TEST(NodeFlags, Without_RefusesWhatThereIsNot) {
  EXPECT_THROW(Parse({"--without", "everything"}).IgnoreError(), CLI::ParseError);
  const absl::StatusOr<ManagerOptions> client = Parse({"--without", "client"}, /*client=*/true);
  EXPECT_EQ(client.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(client.status().message()), HasSubstr("--member"));
}

}  // namespace
}  // namespace grid::tools
