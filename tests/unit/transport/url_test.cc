#include "grid/transport/url.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace grid {
namespace {

TEST(ParseHostUrl, NameAndPort) {
  const absl::StatusOr<HostUrl> url = ParseHostUrl("http://node-1.example:9000");
  ASSERT_TRUE(url.ok()) << url.status();
  EXPECT_FALSE(url->tls);
  EXPECT_EQ(url->host, "node-1.example");
  EXPECT_EQ(url->port, 9000);
  EXPECT_EQ(url->authority, "node-1.example:9000");
}

TEST(ParseHostUrl, WithoutPort_TakesTheSchemesOwn) {
  EXPECT_EQ(ParseHostUrl("http://a")->port, 80);
  EXPECT_EQ(ParseHostUrl("https://a")->port, 443);
  EXPECT_TRUE(ParseHostUrl("https://a")->tls);
  EXPECT_EQ(ParseHostUrl("https://a")->authority, "a");
}

TEST(ParseHostUrl, Ipv6_LosesItsBracketsButNotInTheAuthority) {
  const absl::StatusOr<HostUrl> url = ParseHostUrl("https://[::1]:9000");
  ASSERT_TRUE(url.ok()) << url.status();
  EXPECT_EQ(url->host, "::1");
  EXPECT_EQ(url->port, 9000);
  EXPECT_EQ(url->authority, "[::1]:9000");
}

TEST(ParseHostUrl, SchemeInCapitals_IsTheSame) { EXPECT_TRUE(ParseHostUrl("HTTPS://a:1")->tls); }

TEST(ParseHostUrl, OneSlashAtTheEnd_IsLetThrough) {
  ASSERT_TRUE(ParseHostUrl("http://a:1/").ok());
  EXPECT_EQ(ParseHostUrl("http://a:1/")->authority, "a:1");
}

class BadHostUrl : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(BadHostUrl, IsRefusedAndSaysWhy) {
  const absl::StatusOr<HostUrl> url = ParseHostUrl(GetParam().first);
  ASSERT_FALSE(url.ok());
  EXPECT_EQ(url.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(url.status().ToString().find(GetParam().second), std::string::npos) << url.status();
}

INSTANTIATE_TEST_SUITE_P(
    , BadHostUrl,
    testing::Values(std::pair("", "not a URL"), std::pair("a:9000", "scheme"),
                    std::pair("10.0.0.1:9000", "not a URL"), std::pair("ftp://a", "scheme"),
                    std::pair("http:a", "\"//\""), std::pair("http://a/b", "path"),
                    std::pair("http://a?b=c", "query"), std::pair("http://a#b", "fragment"),
                    std::pair("http://user@a", "user name"), std::pair("http://u:p@a", "user name"),
                    std::pair("http://", "host is missing"),
                    std::pair("http://:9000", "host is missing"),
                    std::pair("http://a:0", "1..65535"), std::pair("http://a:65536", "1..65535"),
                    std::pair("http://a:", "1..65535"), std::pair("http://a:9x", "the port"),
                    std::pair("http://a b", "not a URL"), std::pair("http://[::1", "not a URL"),
                    std::pair("http://a%20b", "percent"), std::pair("http://[v1.x]", "kind")));

TEST(ParseListenAddress, HostsAndPorts) {
  EXPECT_EQ(ParseListenAddress("127.0.0.1:9000")->host, "127.0.0.1");
  EXPECT_EQ(ParseListenAddress("127.0.0.1:9000")->port, 9000);
  EXPECT_EQ(ParseListenAddress("[::1]:0")->host, "::1");
  EXPECT_EQ(ParseListenAddress("[::1]:0")->port, 0);
  EXPECT_EQ(ParseListenAddress(":9000")->host, "");
}

TEST(ParseListenAddress, Malformed_IsRefused) {
  for (const char* text :
       {"", "9000", "a:", "a:65536", "a:-1", "a: 1", "::1:9000", "[::1:9000", "[]:1"}) {
    EXPECT_EQ(ParseListenAddress(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace grid
