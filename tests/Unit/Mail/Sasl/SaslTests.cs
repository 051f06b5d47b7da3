using System.Security.Cryptography;
using System.Text;
using Angarium.Mail.Sasl;

namespace Angarium.Unit.Mail.Sasl;

/// <summary>How a client proves who it is: the examples of the RFCs, and what is no such message.</summary>
public sealed class SaslTests
{
    private const string First = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
    private const string Nonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    private const string Final = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    private static readonly ScramKeys s_keys = ScramKeys.Of("pencil", Convert.FromBase64String("W22ZaJ0SNY7soEsUEjb6gQ=="));

    /// <summary>RFC 7677 §3.</summary>
    [Fact]
    public void Scram_OfTheRfcsExample()
    {
        var exchange = new ScramExchange();
        Assert.True(exchange.TakeFirst(Octets(First)));
        Assert.Equal("user", exchange.User);
        Assert.Equal("r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", exchange.Challenge(Nonce, s_keys.Salt, s_keys.Iterations));
        Assert.True(exchange.TakeFinal(Octets(Final)));
        Assert.Equal("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", ScramExchange.Final(s_keys.Verify(exchange.AuthMessage, exchange.Proof)));
        Assert.Null(s_keys.Verify(exchange.AuthMessage + "x", exchange.Proof));
        Assert.Null(ScramKeys.Of("pencil ", s_keys.Salt).Verify(exchange.AuthMessage, exchange.Proof));
        for (var i = 0; i < 256; i++)
        {
            var wrong = exchange.Proof.ToArray();
            wrong[i / 8] ^= (byte)(1 << (i % 8));
            Assert.Null(s_keys.Verify(exchange.AuthMessage, wrong));
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("n,,n=user")]
    [InlineData("n,,r=abc,n=user")]
    [InlineData("p=tls-unique,,n=user,r=abc")]
    [InlineData("n,a=other,n=user,r=abc")]
    [InlineData("n,,m=ext,n=user,r=abc")]
    [InlineData("n,,n=,r=abc")]
    [InlineData("n,,n=us=er,r=abc")]
    [InlineData("n,,n=user,r=")]
    [InlineData("n,,n=user,r=a b")]
    [InlineData("n,,n=user\0,r=abc")]
    public void Scram_WhatIsNoFirstMessage_IsRefused(string message) => Assert.False(new ScramExchange().TakeFirst(Octets(message)));

    [Theory]
    [InlineData("n,,n=us=2Cer=3D,r=abc", "us,er=")]
    [InlineData("y,,n=user,r=abc", "user")]
    [InlineData("n,a=user,n=user,r=abc,x=ext", "user")]
    public void Scram_Names(string message, string user)
    {
        var exchange = new ScramExchange();
        Assert.True(exchange.TakeFirst(Octets(message)));
        Assert.Equal(user, exchange.User);
    }

    [Theory]
    [InlineData("")]
    [InlineData("c=biws,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")]
    [InlineData("c=eSws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")]
    [InlineData("c=biws,r=rOprNGfwEbeRWgbNEkqO,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")]
    [InlineData("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=!")]
    [InlineData("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0")]
    public void Scram_WhatIsNoFinalMessage_IsRefused(string message)
    {
        var exchange = new ScramExchange();
        Assert.True(exchange.TakeFirst(Octets(First)));
        exchange.Challenge(Nonce, s_keys.Salt, s_keys.Iterations);
        Assert.False(exchange.TakeFinal(Octets(message)));
    }

    [Fact]
    public void Scram_OnRandomOctets_NeverThrows()
    {
        var random = new Random(1);
        var seeds = new[] { Octets(First), Octets(Final) };
        for (var i = 0; i < 20_000; i++)
        {
            var octets = seeds[i % 2].ToArray();
            for (var changes = random.Next(4); changes >= 0; changes--) octets[random.Next(octets.Length)] = (byte)random.Next(256);
            var exchange = new ScramExchange();
            exchange.TakeFirst(octets);
            exchange.Challenge(Nonce, s_keys.Salt, s_keys.Iterations);
            if (exchange.TakeFinal(octets)) Assert.Null(s_keys.Verify(exchange.AuthMessage, exchange.Proof));
            PlainResponse.Parse(octets);
        }
    }

    [Theory]
    [InlineData("\0user\0secret", "user", "secret")]
    [InlineData("user\0user\0secret", "user", "secret")]
    [InlineData("\0us er\0sec ret", "us er", "sec ret")]
    [InlineData("other\0user\0secret", null, null)]
    [InlineData("\0\0secret", null, null)]
    [InlineData("\0user\0", null, null)]
    [InlineData("user\0secret", null, null)]
    [InlineData("\0user\0sec\0ret", null, null)]
    [InlineData("", null, null)]
    public void Plain_IsReadAsItStands(string message, string? user, string? password)
    {
        var read = PlainResponse.Parse(Octets(message));
        Assert.Equal((user, password), (read?.User, read?.Password));
    }

    [Fact]
    public void Password_OfRandomOctets_IsJudgedByItsKeys()
    {
        var keys = ScramKeys.Of("päss wörd", RandomNumberGenerator.GetBytes(16));
        Assert.True(keys.Matches("päss wörd"));
        Assert.False(keys.Matches("päss word"));
    }

    private static byte[] Octets(string text) => Encoding.UTF8.GetBytes(text);
}
