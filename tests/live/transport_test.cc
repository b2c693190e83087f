// The transport between two of its own: messages, TLS, closing.

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "tests/live/test_certificates.h"
#include "tests/live/transport_kit.h"

namespace grid::live {
namespace {

std::string Pattern(size_t size, uint8_t seed) {
  std::string text(size, '\0');
  uint32_t state = seed + 1u;
  for (char& c : text) {
    state = state * 1664525u + 1013904223u;
    c = static_cast<char>(state >> 24);
  }
  return text;
}

struct Pki {
  TestCertificates authority{"authority"};
  CertificateFiles local = authority.Issue("node1", "DNS:localhost,IP:127.0.0.1");
  TlsOptions Options() const {
    return {local.certificate, local.key, authority.ca_file(), false, true};
  }
};

Pki& SharedPki() {
  static Pki pki;
  return pki;
}

class TransportEcho : public testing::TestWithParam<bool> {
 protected:
  TransportEcho() : node_(Make(GetParam())) {
    node_.echo = true;
    node_.Listen([](ListenRequest& request) { request.tls = GetParam(); });
  }
  static Node::Options Make(bool tls) {
    Node::Options options;
    if (tls) options.tls = SharedPki().Options();
    options.threads = 2;
    return options;
  }
  std::string url() const {
    return (GetParam() ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(node_.port());
  }
  Node node_;
};

INSTANTIATE_TEST_SUITE_P(Plain, TransportEcho, testing::Values(false));
INSTANTIATE_TEST_SUITE_P(Tls, TransportEcho, testing::Values(true));

TEST_P(TransportEcho, MessagesOfAllSizes_ComeBackWhole) {
  auto client = node_.Dial(url());
  ASSERT_TRUE(client.ok()) << client.status();
  for (const size_t size : {0ul, 1ul, 125ul, 126ul, 1535ul, 65519ul, 65520ul, 65521ul, 65535ul,
                            65536ul, 300'000ul, 8ul << 20, 3ul}) {
    const std::string message = Pattern(size, static_cast<uint8_t>(size));
    (*client)->Send(message);
    EXPECT_TRUE((*client)->NextMessage() == message) << size << " bytes";
  }
}

TEST_P(TransportEcho, ManyMessagesBothWaysAtOnce_ArriveInOrder) {
  auto client = node_.Dial(url());
  ASSERT_TRUE(client.ok()) << client.status();
  for (int i = 0; i < 500; ++i)
    (*client)->Send(Pattern(static_cast<size_t>(i) * 37, static_cast<uint8_t>(i)));
  for (int i = 0; i < 500; ++i) {
    ASSERT_TRUE((*client)->NextMessage() ==
                Pattern(static_cast<size_t>(i) * 37, static_cast<uint8_t>(i)))
        << i;
  }
}

TEST_P(TransportEcho, Connections_AreSpreadOverTheThreadsInTurn) {
  auto one = node_.Dial(url());
  auto two = node_.Dial(url());
  ASSERT_TRUE(one.ok() && two.ok());
  node_.Accepted(1);
  int on_first = 0;
  node_.thread(0).Run([] {});
  (*one)->Send("a");
  (*two)->Send("b");
  EXPECT_EQ((*one)->NextMessage(), "a");
  EXPECT_EQ((*two)->NextMessage(), "b");
  for (size_t i = 0; i < 2; ++i)
    on_first += &node_.Accepted(i).thread() == &node_.thread(0) ? 1 : 0;
  EXPECT_EQ(on_first, 1);
}

TEST_P(TransportEcho, LocalClose_EndsBothSidesWithCodeAndReason) {
  auto client = node_.Dial(url());
  ASSERT_TRUE(client.ok()) << client.status();
  (*client)->Send("hello");
  EXPECT_EQ((*client)->NextMessage(), "hello");
  (*client)->Close(CloseCode::kGoingAway, "maintenance");
  EXPECT_EQ((*client)->WaitClosed().first, CloseCause::kLocalClose);
  const auto [cause, detail] = node_.Accepted().WaitClosed();
  EXPECT_EQ(cause, CloseCause::kPeerClosed);
  EXPECT_NE(detail.find("1001"), std::string::npos) << detail;
  EXPECT_NE(detail.find("maintenance"), std::string::npos) << detail;
}

TEST_P(TransportEcho, BothSidesCloseAtOnce_BothEnd) {
  auto client = node_.Dial(url());
  ASSERT_TRUE(client.ok()) << client.status();
  Endpoint& server = node_.Accepted();
  (*client)->Close(CloseCode::kNormal, "");
  if (!server.closed()) server.Close(CloseCode::kNormal, "");
  (*client)->WaitClosed();
  server.WaitClosed();
}

TEST_P(TransportEcho, Destruction_ClosesThePeer) {
  auto client = node_.Dial(url());
  ASSERT_TRUE(client.ok()) << client.status();
  Endpoint& server = node_.Accepted();
  client->reset();
  EXPECT_EQ(server.WaitClosed().first, CloseCause::kPeerClosed);
}

TEST_P(TransportEcho, DestructionInTheMiddleOfALargeWrite_LeavesItsBytesAlone) {
  auto client = node_.Dial(url());
  ASSERT_TRUE(client.ok()) << client.status();
  for (int i = 0; i < 4; ++i) (*client)->Send(std::string(4 << 20, 'x'));
  // The message's bytes go away right behind the transport; a sanitizer sees later reads of them.
  client->reset();
  node_.Accepted().WaitClosed();
}

TEST_P(TransportEcho, AddressAndSubject_AreKnown) {
  auto client = node_.Dial(url());
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_EQ((*client)->transport().remote_address(), "127.0.0.1:" + std::to_string(node_.port()));
  EXPECT_EQ((*client)->transport().tls_subject(), GetParam() ? "CN=node1,O=Grid Test" : "");
}

TEST(TransportTls, ClientCertificateDemandedAndShown_SubjectIsKnownToTheServer) {
  Node::Options options;
  options.tls = SharedPki().Options();
  options.tls.require_client_certificate = true;
  Node node(options);
  node.Listen([](ListenRequest& request) { request.tls = true; });
  auto client = node.Dial("https://localhost:" + std::to_string(node.port()));
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_EQ(node.Accepted().transport().tls_subject(), "CN=node1,O=Grid Test");
}

TEST(TransportTls, ClientCertificateDemandedAndMissing_IsRefused) {
  Node::Options options;
  options.tls = SharedPki().Options();
  options.tls.require_client_certificate = true;
  Node server(options);
  server.Listen([](ListenRequest& request) { request.tls = true; });
  Node::Options without;
  without.tls.ca_file = SharedPki().authority.ca_file();
  Node client(without);
  auto connection = client.Dial("https://localhost:" + std::to_string(server.port()));
  EXPECT_FALSE(connection.ok());
  server.WaitRefused(HttpRefusal::kTls);
}

TEST(TransportTls, ServerOfAnotherAuthority_IsRefused) {
  Node::Options options;
  options.tls = SharedPki().Options();
  Node server(options);
  server.Listen([](ListenRequest& request) { request.tls = true; });
  TestCertificates other("other");
  Node::Options distrusting;
  distrusting.tls.ca_file = other.ca_file();
  Node client(distrusting);
  auto connection = client.Dial("https://localhost:" + std::to_string(server.port()));
  EXPECT_EQ(connection.status().code(), absl::StatusCode::kUnauthenticated) << connection.status();
  server.WaitRefused(HttpRefusal::kTls);
  EXPECT_EQ(server.accepted_count(), 0u);
}

TEST(TransportTls, CertificateForAnotherHost_IsRefusedUnlessVerificationIsOff) {
  const CertificateFiles wrong = SharedPki().authority.Issue("elsewhere", "DNS:elsewhere.example");
  Node::Options options;
  options.tls = SharedPki().Options();
  options.tls.certificate_file = wrong.certificate;
  options.tls.key_file = wrong.key;
  Node server(options);
  server.Listen([](ListenRequest& request) { request.tls = true; });
  const std::string url = "https://localhost:" + std::to_string(server.port());
  EXPECT_EQ(server.Dial(url).status().code(), absl::StatusCode::kUnauthenticated);
  options.tls.verify_server = false;
  Node lax(options);
  EXPECT_TRUE(lax.Dial(url).ok());
}

TEST(TransportTls, PlainClientToTlsPort_FailsCleanly) {
  Node::Options options;
  options.tls = SharedPki().Options();
  Node node(options);
  node.Listen([](ListenRequest& request) { request.tls = true; });
  EXPECT_EQ(node.Dial("http://127.0.0.1:" + std::to_string(node.port())).status().code(),
            absl::StatusCode::kUnavailable);
  node.WaitRefused(HttpRefusal::kTls);
}

TEST(TransportTls, TlsClientToPlainPort_FailsCleanly) {
  Node::Options options;
  options.tls = SharedPki().Options();
  Node node(options);
  node.Listen();
  EXPECT_EQ(node.Dial("https://127.0.0.1:" + std::to_string(node.port())).status().code(),
            absl::StatusCode::kUnavailable);
  node.WaitRefused(HttpRefusal::kBadRequest);
}

TEST(TransportTls, BadFiles_AreNamed) {
  const auto make = [](const TlsOptions& tls) {
    return MakeBeastNetwork(tls, {}, {}, RealClock(), NullLog()).status();
  };
  TlsOptions missing = SharedPki().Options();
  missing.certificate_file = "/nonexistent/node.pem";
  EXPECT_NE(make(missing).ToString().find("/nonexistent/node.pem"), std::string::npos);
  TlsOptions no_ca = SharedPki().Options();
  no_ca.ca_file = "/nonexistent/ca.pem";
  EXPECT_NE(make(no_ca).ToString().find("/nonexistent/ca.pem"), std::string::npos);
  TlsOptions other_key = SharedPki().Options();
  other_key.key_file = SharedPki().authority.Issue("other", "DNS:other").key;
  EXPECT_NE(make(other_key).ToString().find(other_key.key_file), std::string::npos);
  TlsOptions half;
  half.certificate_file = SharedPki().local.certificate;
  EXPECT_EQ(make(half).code(), absl::StatusCode::kInvalidArgument);
}

TEST(TransportTls, ListeningWithoutCertificate_IsRefused) {
  Node node;
  ListenRequest request;
  request.address = "127.0.0.1:0";
  request.tls = true;
  request.ios = {&node.thread().io()};
  EXPECT_EQ(node.network().Listen(request).status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace grid::live
