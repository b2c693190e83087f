// What the tests of the programs start from: free names on loopback, running nodes, gridctl's
// results.
#ifndef GRID_TESTS_LIVE_TOOLS_FIXTURE_H_
#define GRID_TESTS_LIVE_TOOLS_FIXTURE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "grid/manager.h"
#include "tests/live/process.h"

namespace grid::live {

using std::chrono::seconds;

inline const std::string kGridctl = GRID_BIN_DIR "/gridctl";
inline const std::string kGridnode = GRID_BIN_DIR "/gridnode";
// Far more than anything takes; sanitizers on a busy machine included.
inline constexpr seconds kLimit{120};

// Names with free ports of their own; of each pair that a test needs, which dials is known.
class Names {
 public:
  explicit Names(std::string scheme = "http") : scheme_(std::move(scheme)) {
    node = Next();
    do dialler = Next();
    while (!ShouldDial(dialler, node));
    do dialled = Next();
    while (ShouldDial(dialled, node));
    other = Next();
    taken_.clear();
  }

  std::string node;     // of the node under test
  std::string dialler;  // for a gridctl that dials it
  std::string dialled;  // for a gridctl that is dialled by it
  std::string other;

 private:
  // Ports stay taken until all are chosen, so that none comes twice.
  std::string Next() {
    using boost::asio::ip::tcp;
    const tcp::endpoint any(boost::asio::ip::make_address("127.0.0.1"), 0);
    taken_.push_back(std::make_unique<tcp::acceptor>(io_, any));
    return scheme_ + "://127.0.0.1:" + std::to_string(taken_.back()->local_endpoint().port());
  }

  const std::string scheme_;
  boost::asio::io_context io_;
  std::vector<std::unique_ptr<boost::asio::ip::tcp::acceptor>> taken_;
};

using Arguments = std::vector<std::string>;

inline Arguments operator+(Arguments a, const Arguments& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

inline void WriteFile(const std::string& path, const std::string& content) {
  std::ofstream(path) << content;
}

inline std::string ReadWholeFile(const std::string& path) {
  std::ifstream file(path);
  std::stringstream content;
  content << file.rdbuf();
  return content.str();
}

struct Result {
  int status = -1;
  std::string out;
  std::string err;
};

inline Result RunProgram(const Arguments& argv, const std::string& input = "",
                         std::chrono::milliseconds limit = kLimit) {
  Process process(argv, input);
  Result result;
  result.status = process.Wait(limit);
  result.out = process.out();
  result.err = process.err();
  return result;
}

// "program: message", one line.
MATCHER_P(OneLineWith, text, "") {
  const std::string& line = arg;
  return line.find(text) != std::string::npos && line.find('\n') == line.size() - 1;
}

// A node that accepts connections; null when it didn't come up.
inline std::unique_ptr<Process> StartNode(const Arguments& arguments) {
  auto node = std::make_unique<Process>(Arguments{kGridnode} + arguments);
  if (node->WaitForOutput("ready ", kLimit)) return node;
  node->Wait(seconds(1));
  ADD_FAILURE() << "gridnode did not come up: " << node->err();
  return nullptr;
}

// A node with two peers that gridctl can be, one for each dial direction; Gridctl is a client.
class ToolsTest : public testing::Test {
 protected:
  void SetUp() override {
    node_ = StartNode(NodeArguments());
    ASSERT_NE(node_, nullptr);
  }
  void TearDown() override {
    if (node_ == nullptr || !node_->running()) return;
    node_->Signal(SIGTERM);
    EXPECT_EQ(node_->Wait(kLimit), 0) << node_->err();
  }

  virtual Arguments NodeArguments() {
    return {"--local", names_.node, "--peer", names_.dialler, "--peer", names_.dialled};
  }
  virtual Arguments ClientArguments() { return {}; }

  Result Gridctl(const Arguments& arguments, const std::string& input = "") {
    return RunProgram(
        Arguments{kGridctl} + arguments + Arguments{"--remote", names_.node} + ClientArguments(),
        input);
  }
  // As a member.
  Result GridctlAs(const std::string& local, const Arguments& arguments,
                   const std::string& input = "") {
    return Gridctl(arguments + Arguments{"--member", "--local", local}, input);
  }

  TempDir dir_;
  Names names_;
  std::unique_ptr<Process> node_;
};

}  // namespace grid::live

#endif  // GRID_TESTS_LIVE_TOOLS_FIXTURE_H_
