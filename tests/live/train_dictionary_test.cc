// gridctl train-dictionary, and what it makes in use.
#include <boost/json.hpp>
#include <filesystem>

#include "absl/strings/escaping.h"
#include "tests/json_payload.h"
#include "tests/live/tools_fixture.h"

namespace grid::live {
namespace {

namespace json = boost::json;
using test::JsonPayload;
using test::JsonPayloads;
using testing::HasSubstr;
using testing::MatchesRegex;

class TrainDictionaryTool : public testing::Test {
 protected:
  TrainDictionaryTool() : payloads_(JsonPayloads(400, 200)) {
    std::filesystem::create_directory(dir_.File("payloads"));
    std::string lines;
    for (size_t i = 0; i < payloads_.size(); ++i) {
      WriteFile(dir_.File("payloads/" + std::to_string(i)), payloads_[i]);
      lines += absl::BytesToHexString(payloads_[i]) + "\n\n";
    }
    WriteFile(dir_.File("lines"), lines);
  }
  Result Train(const Arguments& arguments) {
    return RunProgram(Arguments{kGridctl, "train-dictionary"} + arguments);
  }

  TempDir dir_;
  const std::vector<std::string> payloads_;
};

TEST_F(TrainDictionaryTool, SaysWhatItSaves) {
  const std::string file = dir_.File("dictionary");
  const Result trained =
      Train({dir_.File("payloads"), "--out", file, "--size", "4096", "--id", "7"});
  EXPECT_EQ(trained.status, 0) << trained.err;
  EXPECT_THAT(trained.out, HasSubstr(" bytes, id 7\npayloads: 400, "));
  EXPECT_THAT(trained.out, MatchesRegex("(.*\n)*compressed with it: .* bytes, saves [5-9].*\n"));
  EXPECT_LE(ReadWholeFile(file).size(), 4096u);
  const json::value report =
      json::parse(Train({dir_.File("payloads"), "--out", file, "--size", "4096", "--json"}).out);
  EXPECT_EQ(report.at("payloads"), 400);
  EXPECT_GE(report.at("id").as_int64(), 32768);
  EXPECT_LT(report.at("compressed_bytes_with_dictionary").as_int64(),
            report.at("compressed_bytes").as_int64());
}

TEST_F(TrainDictionaryTool, HexLines) {
  const Result trained = Train({dir_.File("lines"), "--hex-lines", "--out", dir_.File("out")});
  EXPECT_EQ(trained.status, 0) << trained.err;
  EXPECT_THAT(trained.out, HasSubstr("\npayloads: 400, "));
}

TEST_F(TrainDictionaryTool, WhatIsWrong_IsOneLine) {
  const std::string out = dir_.File("out");
  WriteFile(dir_.File("bad"), "00\nxyz\n");
  const Result no_hex = Train({dir_.File("bad"), "--hex-lines", "--out", out});
  EXPECT_EQ(no_hex.status, 1);
  EXPECT_THAT(no_hex.err, OneLineWith("bad line 2: hex: character 1 is no hex digit"));
  EXPECT_THAT(Train({dir_.File("none"), "--out", out}).err, OneLineWith("can't open"));
  EXPECT_THAT(Train({dir_.File("bad"), "--out", out}).err,
              OneLineWith("no dictionary can be made of 1 payloads of 7 bytes"));
  EXPECT_THAT(Train({dir_.File("payloads"), "--out", dir_.File("no/such")}).err,
              OneLineWith("can't write"));
  EXPECT_EQ(Train({dir_.File("payloads")}).status, 2);
  EXPECT_EQ(Train({dir_.File("payloads"), "--out", out, "--size", "255"}).status, 2);
  EXPECT_EQ(Train({dir_.File("payloads"), "--out", out, "--id", "0"}).status, 2);
}

TEST_F(TrainDictionaryTool, NodeAndClient_UseIt) {
  const std::string file = dir_.File("dictionary");
  ASSERT_EQ(Train({dir_.File("payloads"), "--out", file, "--size", "4096"}).status, 0);
  Names names;
  const std::unique_ptr<Process> node =
      StartNode({"--local", names.node, "--dictionary", file, "--compress"});
  ASSERT_NE(node, nullptr);
  const std::string payload = JsonPayload(200, 5);
  const Arguments to = {"--remote", names.node, "--dictionary", file, "--compress"};
  const Result echo =
      RunProgram(Arguments{kGridctl, "call", "78", "--raw", "--payload", payload} + to);
  EXPECT_EQ(echo.status, 0) << echo.err;
  EXPECT_EQ(echo.out, payload);
  const Result stream = RunProgram(Arguments{kGridctl, "stream", "3"} + to, payload + "\nx\n");
  EXPECT_EQ(stream.status, 0) << stream.err;
  EXPECT_EQ(stream.out, payload + "\nx\n");
  node->Signal(SIGTERM);
  EXPECT_EQ(node->Wait(kLimit), 0) << node->err();

  WriteFile(dir_.File("bad"), "no dictionary");
  const Result bad = RunProgram(
      {kGridctl, "call", "78", "--remote", names.node, "--dictionary", dir_.File("bad")});
  EXPECT_EQ(bad.status, 2);
  EXPECT_THAT(bad.err, OneLineWith("--dictionary: dictionary 1 is no zstd dictionary"));
}

}  // namespace
}  // namespace grid::live
