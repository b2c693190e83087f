// gridctl's battery against gridnode, with each extension switched off on either side; and what
// gridctl says besides the payload.
#include <algorithm>

#include "tests/live/tools_fixture.h"
#include "tools/common/node_flags.h"

namespace grid::live {
namespace {

using testing::HasSubstr;
using testing::Not;

// What the node, and gridctl, do not offer; empty: everything.
struct Case {
  std::string node;
  std::string gridctl;
};

Arguments Without(const std::string& extension) {
  return extension.empty() ? Arguments{} : Arguments{"--without", extension};
}

// Whether a side that does not offer `extension` does without clients.
bool HasNoClients(const std::string& extension) {
  return extension == "client" || extension == "all";
}

// A node, and a gridctl that runs the battery against it.
class Battery {
 public:
  explicit Battery(const Case& with) : with_(with) {
    node_ =
        StartNode(Arguments{"--local", names_.node, "--peer", names_.dialler} + Without(with.node));
    // Where one of the two has no clients gridctl is a member.
    const bool member = HasNoClients(with.node) || HasNoClients(with.gridctl);
    const Arguments as = member ? Arguments{"--member", "--local", names_.dialler} : Arguments{};
    gridctl_ = std::make_unique<Process>(
        Arguments{kGridctl, "conformance", "--remote", names_.node} + as + Without(with.gridctl));
  }

  void ExpectPassed() {
    SCOPED_TRACE("node without " + with_.node + ", gridctl without " + with_.gridctl);
    EXPECT_EQ(gridctl_->Wait(kLimit), 0) << gridctl_->out() << gridctl_->err();
    EXPECT_THAT(gridctl_->out(), Not(HasSubstr("FAIL")));
    EXPECT_THAT(gridctl_->out(), HasSubstr(" of "));
    if (node_ == nullptr) return;
    node_->Signal(SIGTERM);
    EXPECT_EQ(node_->Wait(kLimit), 0) << node_->err();
  }

 private:
  const Case with_;
  const Names names_;
  std::unique_ptr<Process> node_;
  std::unique_ptr<Process> gridctl_;
};

TEST(ExtensionsBattery, PassesWithAll_WithNone_AndWithEachOffOnEitherSide) {
  std::vector<Case> cases = {{"", ""}, {"all", "all"}, {"all", ""}, {"", "all"}};
  for (const std::string& extension : tools::ExtensionNames()) {
    cases.push_back({extension, ""});
    cases.push_back({"", extension});
  }
  // They mostly wait: several at a time.
  constexpr size_t kAtOnce = 6;
  for (size_t at = 0; at < cases.size(); at += kAtOnce) {
    std::vector<std::unique_ptr<Battery>> running;
    for (size_t i = at; i < std::min(at + kAtOnce, cases.size()); ++i) {
      running.push_back(std::make_unique<Battery>(cases[i]));
    }
    for (const auto& battery : running) battery->ExpectPassed();
  }
}

constexpr char kTrace[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

// A node of our own, whose handlers answer with what they are told.
class GridctlMeta : public testing::Test {
 protected:
  void SetUp() override {
    ManagerOptions options;
    options.local = names_.node;
    options.log = NullLog();
    manager_ = std::make_unique<Manager>(options);
    for (const int id : {1, 300}) {
      ASSERT_TRUE(
          manager_
              ->RegisterSingle(
                  {.id = HandlerId{id}},
                  SingleFunction([](BytesView, RequestContext& context) -> absl::StatusOr<Buffer> {
                    return Buffer::CopyOf(Told(context));
                  }))
              .ok());
    }
    ASSERT_TRUE(manager_
                    ->RegisterStream({.id = HandlerId{2}},
                                     StreamFunction([](Stream& stream, RequestContext& context) {
                                       return stream.WriteBlocking(AsBytes(Told(context)));
                                     }))
                    .ok());
    ASSERT_TRUE(manager_->Start().ok());
    ASSERT_TRUE(manager_->Listen(names_.node.substr(7)).ok());
  }

  static std::string Told(const RequestContext& context) {
    std::string told = context.trace().ToString();
    for (const MetadataView::Entry entry : context.metadata()) {
      told += " " + std::string(entry.key) + "=" + std::string(entry.value);
    }
    return told;
  }
  Result Gridctl(const Arguments& arguments) {
    return RunProgram(Arguments{kGridctl} + arguments + Arguments{"--remote", names_.node});
  }

  const Names names_;
  std::unique_ptr<Manager> manager_;
};

TEST_F(GridctlMeta, CallsAndStreamsCarryIt) {
  const Arguments meta = {"--traceparent", kTrace,       "--metadata",
                          "tenant=blue",   "--metadata", "query=a=b&c"};
  const std::string all = std::string(kTrace) + " tenant=blue query=a=b&c\n";
  for (const Arguments& command :
       std::vector<Arguments>{{"call", "1"}, {"call", "300"}, {"stream", "2", "--no-input"}}) {
    const Result told = Gridctl(command + meta);
    EXPECT_EQ(told.status, 0) << told.err;
    EXPECT_EQ(told.out, all);
  }
  // A node that does not speak it is called all the same.
  const Result without = Gridctl(Arguments{"call", "--without", "meta", "1"} + meta);
  EXPECT_EQ(without.status, 0) << without.err;
  EXPECT_EQ(without.out, "");
}

TEST_F(GridctlMeta, BadOnesAreBadArguments) {
  for (const auto& [flag, value] : std::vector<std::pair<std::string, std::string>>{
           {"--traceparent", "00-1-2-3"},
           {"--metadata", "tenant"},
           {"--metadata", "=blue"},
           {"--metadata", "tenant=" + std::string(200, 'b')},
           {"--without", "everything"},
           {"--without", "client"}}) {
    const Result result = Gridctl({"call", "1", flag, value});
    EXPECT_EQ(result.status, 2) << flag << " " << value;
    EXPECT_THAT(result.err, OneLineWith("gridctl: " + flag));
  }
}

TEST_F(GridctlMeta, HandlersAbove255_NeedTheExtension) {
  const Result without = Gridctl({"call", "300", "--without", "handlers16"});
  EXPECT_EQ(without.status, 1);
  EXPECT_THAT(without.err, OneLineWith("handlers16"));
  EXPECT_THAT(without.err, HasSubstr("(not-sent)"));
}

}  // namespace
}  // namespace grid::live
