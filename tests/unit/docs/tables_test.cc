// The tables of grid/README.md, and of directory/README.md, against the code: every limit, every
// statistic, every reason of a counter is there, and nothing that is gone.
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <regex>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "grid/directory/directory_options.h"
#include "grid/directory/etcd_directory.h"
#include "grid/directory/registry.h"
#include "grid/mux/counters.h"
#include "grid/options.h"
#include "handlers/compression.h"
#include "tests/unit/docs/markdown.h"

namespace grid::docs {
namespace {

using Names = std::set<std::string>;

// What `pattern`'s first group matches.
Names FindAll(const std::string& text, const std::string& pattern) {
  const std::regex regex(pattern);
  Names found;
  for (std::sregex_iterator it(text.begin(), text.end(), regex), end; it != end; ++it) {
    found.insert((*it)[1]);
  }
  return found;
}

std::string Readme(const std::string& section) {
  return Section(ReadSource("grid/README.md"), section);
}

// The table that follows the line `intro`, row by row, split at the bars.
std::vector<std::vector<std::string>> Table(const std::string& intro,
                                            const std::string& document = "grid/README.md") {
  std::vector<std::vector<std::string>> rows;
  bool found = false;
  for (const std::string& line : Lines(ReadSource(document))) {
    if (line == intro) found = true;
    if (!found) continue;
    if (!line.starts_with('|')) {
      if (rows.empty()) continue;
      break;
    }
    std::vector<std::string> cells;
    for (size_t at = 1; at < line.size();) {
      const size_t bar = line.find(" |", at);
      if (bar == std::string::npos) break;  // the line below the header
      cells.push_back(bar > at ? line.substr(at + 1, bar - at - 1) : "");
      at = bar + 2;
    }
    rows.push_back(cells);
  }
  if (rows.size() < 3) throw std::runtime_error("no table behind: " + intro);
  rows.erase(rows.begin(), rows.begin() + 2);  // the header
  return rows;
}

Names FirstColumn(const std::string& intro) {
  Names names;
  for (const auto& row : Table(intro)) {
    for (const std::string& name : FindAll(row[0], "`([a-z_-]+)`")) names.insert(name);
  }
  return names;
}

// The members of a struct of a public header, by name.
Names Members(const std::string& file, const std::string& type) {
  const std::string header = ReadSource(file);
  const std::string head = "struct " + type + " {";
  const size_t begin = header.find(head);
  if (begin == std::string::npos) throw std::runtime_error("no struct " + type);
  std::string body;
  for (const std::string& line : Lines(header.substr(begin + head.size()))) {
    if (line == "};") break;
    body += line.substr(0, line.find("//")) + " ";
  }
  // Template arguments and initialisers hold commas too.
  body = std::regex_replace(body, std::regex("<[^<>]*>|\\{[^{}]*\\}"), "");
  return FindAll(body, "([a-z_0-9]+)\\s*(?:=[^;,]*)?[;,]");
}

std::string Bytes(size_t bytes) {
  return bytes % (size_t{1} << 30) == 0 ? std::to_string(bytes >> 30) + " GiB"
                                        : std::to_string(bytes >> 20) + " MiB";
}
std::string Time(std::chrono::milliseconds time) {
  const auto ms = time.count();
  const std::string tenths = ms % 1000 == 0 ? "" : "." + std::to_string(ms % 1000 / 100);
  return std::to_string(ms / 1000) + tenths + " s";
}

void ExpectDefaults(const std::string& intro, const std::map<std::string, std::string>& defaults) {
  std::map<std::string, std::string> shown;
  for (const auto& row : Table(intro)) {
    for (const std::string& name : FindAll(row[0], "`([a-z_0-9]+)`")) shown[name] = row[1];
  }
  EXPECT_EQ(shown, defaults);
}

TEST(LimitsTable, HasEveryLimitWithItsDefault) {
  const Limits limits;
  const std::map<std::string, std::string> defaults = {
      {"max_message_bytes", Bytes(limits.max_message_bytes)},
      {"max_payload_bytes", Bytes(limits.max_payload_bytes)},
      {"max_reassembly_bytes", Bytes(limits.max_reassembly_bytes)},
      {"max_reassemblies", std::to_string(limits.max_reassemblies)},
      {"max_output_bytes", Bytes(limits.max_output_bytes)},
      {"max_inflight", std::to_string(limits.max_inflight)},
      {"max_worker_queue", std::to_string(limits.max_worker_queue)},
      {"max_pre_handshake", std::to_string(limits.max_pre_handshake)},
      {"max_buffered_bytes", Bytes(limits.max_buffered_bytes)},
      {"max_window_bytes", Bytes(limits.max_window_bytes)},
      {"max_waiting", std::to_string(limits.max_waiting)},
      {"max_clients", std::to_string(limits.max_clients)},
      {"max_resets", std::to_string(limits.max_resets)},
      {"resets_per_second", std::to_string(limits.resets_per_second)}};
  Names names;
  for (const auto& [name, value] : defaults) names.insert(name);
  EXPECT_EQ(names, Members("grid/options.h", "Limits"));
  ExpectDefaults("Reaching a limit is a status that names it, and a counter. Options of `Limits`:",
                 defaults);
}

TEST(LimitsTable, HasEveryTimeoutWithItsDefault) {
  const Timeouts timeouts;
  const std::map<std::string, std::string> defaults = {
      {"request", Time(timeouts.request)},
      {"dial", Time(timeouts.dial)},
      {"redial_min", Time(timeouts.redial_min)},
      {"redial_max", Time(timeouts.redial_max)},
      {"handshake", Time(timeouts.handshake)},
      {"ping", Time(timeouts.ping)},
      {"stream_ping", Time(timeouts.stream_ping)},
      {"write_stall", Time(timeouts.write_stall)},
      {"close", Time(timeouts.close)},
      {"clock_skew", std::to_string(timeouts.clock_skew.count()) + " min"}};
  Names names;
  for (const auto& [name, value] : defaults) names.insert(name);
  EXPECT_EQ(names, Members("grid/options.h", "Timeouts"));
  ExpectDefaults("Options of `Timeouts`:", defaults);
}

TEST(ExtensionsTable, HasEveryOptionWithItsDefault) {
  const ExtensionOptions offered;
  const auto on = [](bool is) { return std::string(is ? "on" : "off"); };
  const std::map<std::string, std::string> defaults = {
      {"credits", on(offered.credits)},
      {"status", on(offered.status)},
      {"fragment_bytes", std::to_string(offered.fragment_bytes >> 10) + " KiB"},
      {"zstd_level", std::to_string(offered.zstd_level)},
      {"meta", on(offered.meta)},
      {"handlers16", on(offered.handlers16)},
      {"goaway", on(offered.goaway)},
      {"client", on(offered.client)}};
  Names names;
  for (const auto& [name, value] : defaults) names.insert(name);
  EXPECT_EQ(names, Members("grid/options.h", "ExtensionOptions"));
  ExpectDefaults("peers that offer it as well; `--without NAME` switches it off in the programs.",
                 defaults);
}

TEST(CompressionTable, HasEveryOptionWithItsDefault) {
  const Compression compression;
  const std::map<std::string, std::string> defaults = {
      {"enabled", compression.enabled ? "true" : "false"},
      {"min_bytes", std::to_string(compression.min_bytes)},
      {"dictionary", std::to_string(compression.dictionary)}};
  Names names;
  for (const auto& [name, value] : defaults) names.insert(name);
  EXPECT_EQ(names, Members("handlers/compression.h", "Compression"));
  ExpectDefaults("Options of `Compression`:", defaults);
}

// Those of a directory, each with a counter that there is.
TEST(DirectoryLimitsTable, HasEveryLimitWithItsDefaultAndItsCounter) {
  const DirectoryLimits limits;
  const RegistryLimits table;
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"DirectoryLimits::max_registrations", std::to_string(limits.max_registrations)},
      {"max_watches", std::to_string(limits.max_watches)},
      {"max_watch_events", std::to_string(limits.max_watch_events)},
      {"max_operations", std::to_string(limits.max_operations)},
      {"max_cached", std::to_string(limits.max_cached)},
      {"EtcdOptions::max_answer_bytes", Bytes(EtcdOptions().max_answer_bytes)},
      {"max_idle_connections", std::to_string(EtcdOptions().max_idle_connections)},
      {"RegistryLimits::max_entries", std::to_string(table.max_entries)},
      {"max_sessions", std::to_string(table.max_sessions)},
      {"max_watches", std::to_string(table.max_watches)},
      {"max_watch_events", std::to_string(table.max_watch_events)}};
  const auto rows = Table("## Limits", "grid/directory/README.md");
  ASSERT_EQ(rows.size(), expected.size());
  Names named[3];  // of DirectoryLimits, EtcdOptions, RegistryLimits
  size_t of = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i][0], "`" + expected[i].first + "`");
    EXPECT_EQ(rows[i][1], expected[i].second) << rows[i][0];
    if (i > 0 && rows[i][0].find("::") != std::string::npos) ++of;
    named[of].merge(FindAll(rows[i][0], "([a-z_]+)`"));
    const Names counters = FindAll(rows[i].at(3), "`([a-z_]+)`");
    ASSERT_EQ(counters.size(), 1u) << rows[i][0];
    const Names known = of == 2 ? Members("grid/directory/registry.h", "RegistryStats")
                                : Members("grid/directory/directory.h", "DirectoryStats");
    EXPECT_TRUE(known.contains(*counters.begin())) << *counters.begin();
  }
  EXPECT_EQ(named[0], Members("grid/directory/directory_options.h", "DirectoryLimits"));
  EXPECT_EQ(named[2], Members("grid/directory/registry.h", "RegistryLimits"));
}

// Counters that the tables of limits name are counters that there are.
TEST(LimitsTable, NamesCountersThatExist) {
  Names known = FirstColumn("Dropped, refused or ignored, in `drops`:");
  known.merge(FirstColumn("How connections ended, in `drops` too:"));
  known.merge(FirstColumn("Incoming connections turned down, in `refused`:"));
  for (const std::string& name : FindAll(Readme("## Limits"), "`([a-z]+(?:-[a-z]+)+)`")) {
    EXPECT_TRUE(known.contains(name)) << name;
  }
}

TEST(StatisticsTable, HasEveryDropReason) {
  Names reasons = FindAll(ReadSource("grid/internal/peer_waiting.cc"), "Count\\(\"([a-z-]+)\"");
  for (size_t i = 0; i < static_cast<size_t>(Drop::kCount); ++i) {
    reasons.insert(std::string(DropName(static_cast<Drop>(i))));
  }
  EXPECT_EQ(FirstColumn("Dropped, refused or ignored, in `drops`:"), reasons);
}

TEST(StatisticsTable, HasEveryWayAConnectionEnds) {
  Names reasons;
  for (size_t i = 0; i < static_cast<size_t>(SessionEnd::kCount); ++i) {
    reasons.insert("close-" + std::string(SessionEndName(static_cast<SessionEnd>(i))));
  }
  for (const char* file : {"grid/runtime/link.cc", "grid/internal/peer.cc"}) {
    reasons.merge(FindAll(ReadSource(file), "\"(close-[a-z-]+[a-z])\""));
  }
  EXPECT_EQ(FirstColumn("How connections ended, in `drops` too:"), reasons);
}

TEST(StatisticsTable, HasEveryRefusal) {
  const std::string core = ReadSource("grid/internal/manager_core_accept.cc");
  const size_t begin = core.find("std::string_view RefusalName(");
  ASSERT_NE(begin, std::string::npos);
  Names reasons =
      FindAll(core.substr(begin, core.find("\n}", begin) - begin), "return \"([a-z-]+)\"");
  const std::string incoming = ReadSource("grid/internal/incoming.cc");
  reasons.merge(FindAll(incoming, "CountRefused\\(\"([a-z-]+)\""));
  reasons.merge(FindAll(incoming, "Refuse\\(\"([a-z-]+)\""));
  EXPECT_EQ(FirstColumn("Incoming connections turned down, in `refused`:"), reasons);
}

TEST(StatisticsTable, HasEveryField) {
  const std::string section = Readme("## Statistics");
  Names shown;
  for (const std::string& line : Lines(section)) {
    if (line.starts_with("| reason")) break;
    if (!line.starts_with("| `")) continue;
    shown.merge(FindAll(line.substr(0, line.find(" |", 2)), "`([a-z_]+)`"));
  }
  Names fields = Members("grid/stats.h", "ConnectionStats");
  fields.merge(Members("grid/stats.h", "ManagerStats"));
  EXPECT_EQ(shown, fields);
}

}  // namespace
}  // namespace grid::docs
