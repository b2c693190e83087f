// The HTTP client under TLS: whom it talks to, and what it says of those that it does not.
#include "grid/transport/http_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <string>

#include "tests/live/test_certificates.h"
#include "tests/live/transport_kit.h"

namespace grid::live {
namespace {

using testing::HasSubstr;

class HttpClientTls : public testing::Test {
 protected:
  // A listener with a certificate for `names`; what it answers to a POST does not matter.
  void Listen(const std::string& names) {
    const CertificateFiles files = authority_.Issue("server", names);
    Node::Options options;
    options.tls.certificate_file = files.certificate;
    options.tls.key_file = files.key;
    server_.emplace(options);
    server_->Listen([](ListenRequest& request) { request.tls = true; });
  }

  absl::StatusOr<int> Post(const std::string& host, const TlsOptions& tls) {
    IoThread thread;
    std::unique_ptr<HttpClient> client;
    std::unique_ptr<HttpExchange> exchange;
    std::promise<absl::StatusOr<int>> answered;
    thread.Run([&] {
      auto made = MakeHttpClient(thread.io(), RealClock(), tls);
      ASSERT_TRUE(made.ok()) << made.status();
      client = *std::move(made);
      exchange = client->Post(
          {.origin = "https://" + host + ":" + std::to_string(server_->port()),
           .target = "/nothing",
           .limit = kPatience},
          [](std::string_view) {}, [&](absl::StatusOr<int> code) { answered.set_value(code); });
    });
    const absl::StatusOr<int> code = answered.get_future().get();
    thread.Run([&] {
      exchange = nullptr;
      client = nullptr;
    });
    return code;
  }

  TlsOptions Trusting() const {
    TlsOptions tls;
    tls.ca_file = authority_.ca_file();
    return tls;
  }

  TestCertificates authority_{"authority"};
  std::optional<Node> server_;
};

TEST_F(HttpClientTls, TheRightServer_Answers) {
  Listen("DNS:localhost,IP:127.0.0.1");
  for (const char* host : {"localhost", "127.0.0.1"}) {
    const absl::StatusOr<int> code = Post(host, Trusting());
    ASSERT_TRUE(code.ok()) << code.status();
    EXPECT_EQ(*code, 404);
  }
}

TEST_F(HttpClientTls, CertificateForAnotherHost_IsUnauthenticated_AndNamesTheHost) {
  Listen("DNS:elsewhere.example");
  for (const std::string host : {"localhost", "127.0.0.1"}) {
    const absl::Status status = Post(host, Trusting()).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("not one for " + host));
  }
  TlsOptions lax = Trusting();
  lax.verify_server = false;
  EXPECT_TRUE(Post("localhost", lax).ok());
}

TEST_F(HttpClientTls, CertificateOfAnotherAuthority_IsUnauthenticated) {
  Listen("DNS:localhost");
  TestCertificates other("other");
  TlsOptions distrusting;
  distrusting.ca_file = other.ca_file();
  const absl::Status status = Post("localhost", distrusting).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated) << status;
}

}  // namespace
}  // namespace grid::live
