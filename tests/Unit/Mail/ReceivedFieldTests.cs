using System.Buffers;
using System.Net;
using System.Text;
using Angarium.Mail.Trace;
using CsCheck;

namespace Angarium.Unit.Mail;

public sealed class ReceivedFieldTests
{
    private static readonly ReceivedField Plain = new()
    {
        Hello = "client.example", Client = IPAddress.Parse("192.0.2.1"), Host = "relay.example", Time = new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero),
    };

    private static (string Text, int Offset) Write(ReceivedField field)
    {
        var output = new ArrayBufferWriter<byte>();
        var offset = field.Write(output);
        return (Encoding.UTF8.GetString(output.WrittenSpan), offset);
    }

    [Fact]
    public void Write_AllClauses_AreThoseOfRfc5321()
    {
        var (text, offset) = Write(Plain with
        {
            IsExtended = true, IsTls = true, Tls = "TLSv1.3 TLS_AES_256_GCM_SHA384", For = "user@example.com", Client = IPAddress.Parse("2001:db8::1"), Time = Plain.Time.ToOffset(TimeSpan.FromMinutes(-210)),
        });
        Assert.Equal(
            "Received: from client.example\r\n\t([IPv6:2001:db8::1])\r\n\tby relay.example\r\n\twith ESMTPS (TLSv1.3 TLS_AES_256_GCM_SHA384)\r\n\tid "
            + new string('x', 23) + "\r\n\tfor <user@example.com>;\r\n\tThu, 01 Jan 2026 23:34:05 -0330\r\n", text);
        Assert.Equal(text.IndexOf("xxx", StringComparison.Ordinal), offset);
    }

    [Theory]
    [InlineData(false, false, false, false, "SMTP")]
    [InlineData(true, false, false, false, "ESMTP")]
    [InlineData(true, true, false, false, "ESMTPS")]
    [InlineData(true, false, true, false, "ESMTPA")]
    [InlineData(true, true, true, false, "ESMTPSA")]
    [InlineData(true, false, false, true, "UTF8SMTP")]
    [InlineData(true, true, false, true, "UTF8SMTPS")]
    [InlineData(true, true, true, true, "UTF8SMTPSA")]
    public void With_Protocol_IsTheRegisteredKeyword(bool extended, bool tls, bool auth, bool utf8, string keyword) =>
        Assert.Equal(keyword, (Plain with { IsExtended = extended, IsTls = tls, IsAuthenticated = auth, IsSmtpUtf8 = utf8 }).With);

    [Theory]
    [InlineData("a(b)c", "a?b?c")]
    [InlineData("a\r\nX: y", "a??X:?y")]
    [InlineData("\"", "?")]
    [InlineData("", "?")]
    [InlineData("bücher", "b?cher")]
    [InlineData("[192.0.2.7]", "[192.0.2.7]")]
    public void Write_HostileHello_IsCleaned(string hello, string shown) => Assert.StartsWith($"Received: from {shown}\r\n\t(", Write(Plain with { Hello = hello }).Text);

    [Fact]
    public void Write_MappedAddress_IsIpv4() => Assert.Contains("([192.0.2.9])", Write(Plain with { Client = IPAddress.Parse("::ffff:192.0.2.9") }).Text);

    [Fact]
    public void Write_AnyHello_IsOneFieldOfShortLines() => Gen.String[0, 255].Sample(hello =>
    {
        var (text, offset) = Write(Plain with { Hello = hello, IsExtended = true });
        Assert.Equal(new string('x', ReceivedField.IdLength), Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text), offset, ReceivedField.IdLength));
        var lines = text.Split("\r\n");
        Assert.Equal("", lines[^1]);
        Assert.All(lines[1..^1], line => Assert.StartsWith("\t", line));
        // Only a plain name longer than that makes a longer line: it cannot be folded.
        Assert.All(lines, line => Assert.True(line.Length < 80 || !hello.Any(c => !char.IsAsciiLetterOrDigit(c)), line));
        Assert.DoesNotContain(text.Replace("\r\n\t", " ")[..^2], char.IsControl);
    });
}
